// An instance's end of the calls that its invocations make: numbers, windows, and what waits for them. What a
// call means to a language is the runtime's.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "wire/call.h"

namespace mayfly::bridge {

/// What a runtime does with answers. Called from inside Connection::read. After the end of an answer, or an
/// error, the call's number means another.
class CallService {
 public:
  virtual ~CallService() = default;
  virtual void on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                                std::string_view body, bool last) = 0;
  /// Give credit for it with Calls::credit once it is consumed.
  virtual void on_call_body(std::uint32_t call, std::string_view chunk, bool last) = 0;
  /// After Calls::body said false: more may be sent.
  virtual void on_call_writable(std::uint32_t call) = 0;
  /// There is no answer, or no rest of it. `status`: the HTTP answer that it would be.
  virtual void on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) = 0;
};

/// Part of a Connection, whose flush() sends what is appended here. A call that is over is ignored.
class Calls {
 public:
  explicit Calls(std::string& out) : out_(out) {}

  void listen(CallService& service) { service_ = &service; }
  struct Opened {
    std::uint32_t call = 0;      ///< 0: it is not open
    std::string_view problem{};  ///< why, for people
  };
  /// `event`: the body is an event's payload. `last`: that is all of it.
  [[nodiscard]] Opened open(const wire::CallHead& head, bool event, std::string_view body, bool last);
  /// The next part of its body. False when the window is full: it is kept, and sent later; wait for
  /// on_call_writable.
  [[nodiscard]] bool body(std::uint32_t call, std::string_view chunk);
  void end_body(std::uint32_t call);
  /// The answer's consumer took so many bytes.
  void credit(std::uint32_t call, std::uint32_t bytes);
  /// The answer is not wanted any more: nothing follows.
  void abort(std::uint32_t call);
  [[nodiscard]] bool is_open(std::uint32_t call) { return find(call) != nullptr; }
  /// The invocation of this stream is over, or nobody waits for it: its calls fail, as they have at the
  /// daemon.
  void end_of(std::uint32_t stream);
  /// A frame from the daemon.
  void dispatch(const wire::Frame& frame);

 private:
  struct Call {
    std::uint32_t id = 0;  ///< 0: free
    std::uint32_t generation = 0;
    std::uint32_t caller = 0;  ///< the stream of the invocation that calls
    std::int64_t window = 0;   ///< bytes of its body that may be sent
    std::string pending;       ///< body that waits for the window
    bool ending = false;       ///< the body ends with `pending`
    bool told_full = false;
  };

  Call* find(std::uint32_t id);
  void pump(Call& call);
  void close(Call& call);
  void dispatch_response(Call& call, const wire::Frame& frame);
  void dispatch_body(Call& call, const wire::Frame& frame);
  void dispatch_credit(Call& call, const wire::Frame& frame);

  std::string& out_;
  CallService* service_ = nullptr;
  std::deque<Call> calls_;  // by slot
  std::vector<std::uint32_t> free_;
};

}  // namespace mayfly::bridge
