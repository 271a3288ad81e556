// Server: an instance that serves. Two ways: one invocation after another, in a plain loop that calls Python
// (run), or many at once on asyncio, whose selector reads here what the daemon sends (selector.h).
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "bridge/connection.h"
#include "invocation.h"
#include "wire/offers.h"

namespace mayfly::python {

/// What Python does for this code: functions in the dict that Server is made with, under these names.
enum class Hook : std::uint8_t {
  begin,          ///< begin(invocation): serve it; never raises
  on_abort,       ///< on_abort(invocation): its answer is not wanted any more
  on_stop,        ///< on_stop(): leave; nothing is open
  wake,           ///< wake(futures): resolve them
  receive_later,  ///< receive_later(invocation): coroutine that waits for ASGI's next message
  send_later,     ///< send_later(invocation): coroutine that waits for room
  to_json,
  base64_encode,
  base64_decode,
  authorizer,  ///< authorizer(claims): of a caller with a token, from its claims in base64url
  on_call,     ///< on_call(call, what, …): see calls.cpp
  count,
};

class Server final : public bridge::Service, private bridge::CallService {
 public:
  /// `whole_body`: begin with an invocation when its body is complete. `concurrent`: on asyncio.
  /// `offers`: where those that wait for their turn in run() are claimed, if the daemon may take them back.
  Server(Fd data, bridge::LogSender& log, bool whole_body, bool concurrent,
         std::optional<wire::Offers> offers = {});
  /// False, with an exception, if one is missing.
  [[nodiscard]] bool set_hooks(PyObject* dict);
  /// One that was made without a socket, before its process was forked: says to the daemon that it serves. No
  /// Python runs.
  void open(Fd data, std::optional<wire::Offers> offers);
  [[nodiscard]] PyObject* hook(Hook which) const { return hooks_[static_cast<std::size_t>(which)].get(); }
  [[nodiscard]] bridge::Connection& connection() { return connection_; }
  [[nodiscard]] bool concurrent() const { return concurrent_; }

  /// Serves one invocation after another, until the daemon says stop. False with an exception.
  [[nodiscard]] bool run();
  /// Sends what there is, waits for the daemon and reads it. With the interpreter's lock given up meanwhile.
  void pump();
  /// Reads what has come without a wait: in the middle of an invocation, that its client has left.
  void look();
  /// Calls Python for what the daemon has sent.
  void read();
  /// Before a wait: sends what there is, and ends the time that counts as busy.
  void rest();
  /// The daemon wants this instance to leave, and nothing is open.
  [[nodiscard]] bool stopped() const { return stopped_; }

  // Answers to an invocation.
  void respond(Invocation& invocation, unsigned status, std::string_view head, std::string_view body,
               bool done);
  void start(Invocation& invocation, unsigned status, std::string_view head);
  /// Sets `full` when no more should be written before on_writable.
  void write(Invocation& invocation, std::string_view chunk);
  void end(Invocation& invocation);
  void fail(Invocation& invocation, std::string_view message, std::string_view stack);
  /// Its slot is free.
  void finish(Invocation& invocation);
  /// The Python object of an invocation whose slot is taken; borrowed, null if there is none.
  [[nodiscard]] PyObject* find(std::uint32_t stream) const;

 private:
  void on_request(const bridge::Request& request) override;
  void on_body(std::uint32_t stream, std::string_view chunk, bool last) override;
  void on_abort(std::uint32_t stream, wire::AbortReason reason) override;
  void on_writable(std::uint32_t stream) override;
  void on_stop() override;

  // bridge::CallService; in calls.cpp
  void on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                        std::string_view body, bool last) override;
  void on_call_body(std::uint32_t call, std::string_view chunk, bool last) override;
  void on_call_writable(std::uint32_t call) override;
  void on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) override;
  void wait();
  void begin(PyObject* invocation);
  void serve(PyObject* invocation);
  void forget(Invocation& invocation);
  void wake(Invocation& invocation);

  bridge::Connection connection_;
  const bool whole_body_;
  const bool concurrent_;
  std::optional<wire::Offers> offers_;
  bool stopped_ = false;
  std::array<Ref, static_cast<std::size_t>(Hook::count)> hooks_;
  std::vector<Ref> slots_;  // invocations whose slot is taken
  std::deque<Ref> queue_;   // those that wait for their turn in run()
  std::uint32_t last_ = 0;  // the stream that run() served last
  std::uint64_t woke_at_ = 0;
};

}  // namespace mayfly::python
