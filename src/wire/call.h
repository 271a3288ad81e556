// Calls: what an invocation asks of the daemon while it runs. docs/wire.md has the whole protocol.
//
// A call's number is made by the instance as the daemon makes that of a stream: a slot and a generation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/frame.h"

namespace mayfly::wire {

/// So many calls an instance may have open.
inline constexpr std::uint32_t kMaxCalls = kMaxStreams;
/// Bytes of a call's headers in the form of the wire, and of its method and target.
inline constexpr std::size_t kMaxCallHeaders = 128U << 10U;
inline constexpr std::size_t kMaxCallMethod = 64;
inline constexpr std::size_t kMaxCallTarget = 64U << 10U;

/// What is called; the aux of a `call` frame.
enum class CallKind : std::uint32_t {
  invoke = 1,   ///< the function `name`, or one version of it ("name@3")
  next = 2,     ///< what the decorator that calls is wrapped around; `name` is empty
  publish = 3,  ///< the topic `name`: the body is the event
};

/// The head of a `call` payload.
struct CallHead {
  CallKind kind = CallKind::invoke;  ///< the frame's aux
  std::uint32_t caller = 0;          ///< the stream of the invocation that calls
  std::string_view name;
  std::string_view method;
  std::string_view target;
  std::string_view headers;  ///< "name\0value\0…", names in lower case
};
/// The payload of a `call` frame as far as the body.
void append_call_head(std::string& out, const CallHead& head);
/// Splits it; `rest` is the first part of the body. Empty when it is malformed.
[[nodiscard]] std::optional<CallHead> parse_call_head(const Frame& frame, std::string_view& rest);
/// What is wrong with a head that was parsed: too long, not HTTP, header fields that are none. Empty:
/// nothing.
[[nodiscard]] std::string_view problem_with(const CallHead& head);

/// The payload of a `call_error`: type, message, then details as pairs, each ended by NUL (which is left out
/// where a text has it).
class CallErrorWriter {
 public:
  CallErrorWriter(std::string& out, std::string_view type, std::string_view message);
  void detail(std::string_view name, std::string_view value);

 private:
  std::string& out_;
};
struct CallError {
  std::string_view type;     ///< "urn:mayfly:call:depth"
  std::string_view message;  ///< for people
  std::string_view details;  ///< "name\0value\0…"
};
[[nodiscard]] std::optional<CallError> parse_call_error(std::string_view payload);

}  // namespace mayfly::wire
