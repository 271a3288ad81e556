// One invocation inside a native function: the request it reads, the answer it makes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/connection.h"
#include "mayfly.h"

namespace mayfly::native {

/// What an exchange needs of the loop that it runs in.
class Wire {
 public:
  virtual ~Wire() = default;
  /// Sends what waits, blocks until the daemon has sent something or takes more, and reads it. Ends the
  /// process when the daemon is gone. Calls on_body, on_abort and on_writable of exchanges.
  virtual void turn() = 0;
  /// The same without blocking.
  virtual void look() = 0;
  [[nodiscard]] virtual bridge::Connection& connection() = 0;
  /// It hears of what comes for its number, until it is removed.
  virtual void add(class OutgoingCall& call) = 0;
  virtual void remove(class OutgoingCall& call) = 0;
};

/// Lives from the invoke frame until the handler has returned. Single-threaded.
class Exchange {
 public:
  Exchange(Wire& wire, const bridge::Request& request);

  // --- Request -------------------------------------------------------------------------------------
  [[nodiscard]] std::uint32_t stream() const { return stream_; }
  [[nodiscard]] const std::string& invocation() const { return invocation_; }
  [[nodiscard]] const std::string& remote() const { return remote_; }
  [[nodiscard]] const std::string& scheme() const { return scheme_; }
  [[nodiscard]] const std::string& method() const { return method_; }
  [[nodiscard]] const std::string& target() const { return target_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string_view query() const;
  [[nodiscard]] const std::string& headers() const { return headers_; }  ///< "name NUL value NUL …"
  [[nodiscard]] bool event() const { return event_; }
  [[nodiscard]] std::int64_t time_left() const;

  /// See mayfly.h. False: nobody waits for the answer any more.
  [[nodiscard]] bool body(std::string_view& whole);
  [[nodiscard]] std::ptrdiff_t read(void* buffer, std::size_t size);
  [[nodiscard]] bool aborted();

  // --- Calls: for OutgoingCall -------------------------------------------------------------------
  [[nodiscard]] bool aborted_now() const { return aborted_; }
  [[nodiscard]] bool body_is_over() const { return body_ended_ && body_read_ == body_.size(); }
  /// All of the body that has come and was not read.
  [[nodiscard]] std::string take_body();
  /// Of a call without a traceparent: the invocation's own, and a host.
  void complete(std::string& headers, std::string_view body, bool forward) const;
  [[nodiscard]] Wire& wire() { return wire_; }
  std::uint32_t calls = 0;  ///< opened so far

  // --- Response ------------------------------------------------------------------------------------
  [[nodiscard]] bool set_status(int status);
  [[nodiscard]] bool add_header(std::string_view name, std::string_view value);
  void append(std::string_view bytes);
  [[nodiscard]] bool write(std::string_view bytes);
  void fail(std::string_view message);
  /// The handler has returned: sends what is missing of the answer and frees the slot.
  void finish();

  // --- What the daemon sent ------------------------------------------------------------------------
  void on_body(std::string_view chunk, bool last);
  void on_abort() { aborted_ = true; }
  void on_writable() { full_ = false; }

 private:
  void give_credit(std::size_t taken);
  void send_head();

  Wire& wire_;
  std::uint32_t stream_;
  std::uint64_t deadline_;
  bool event_;
  std::string invocation_, remote_, scheme_, method_, target_, path_, headers_;
  std::string body_;           // what came and was not given up yet
  std::size_t body_read_ = 0;  // of these, what read() took
  std::size_t credit_ = 0;     // taken, and not told to the daemon yet
  bool body_ended_;
  bool aborted_ = false;

  int status_ = 200;
  std::string answer_headers_;
  std::string answer_;
  bool streaming_ = false;
  bool full_ = false;  // no more may be sent until on_writable
  bool failed_ = false;
  std::string failure_;
};

}  // namespace mayfly::native

/// The handles of the C interface: an exchange, seen from its two sides.
struct mayfly_request {
  mayfly::native::Exchange& exchange;
};
struct mayfly_response {
  mayfly::native::Exchange& exchange;
};
