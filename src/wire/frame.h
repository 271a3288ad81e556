// The frames between the daemon and an instance, on a stream socket. docs/wire.md has the whole protocol.
//
// Every frame is a 16-byte header and a payload, little-endian. A *stream* is one invocation on one
// instance; its number is chosen by the daemon. Request and response bodies are flow-controlled per
// stream by credit, as in HTTP/2 (RFC 9113, section 5.2): a sender starts with kWindow bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly::wire {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeaderSize = 16;
/// The largest payload; a longer one is a protocol error, and ends the connection.
inline constexpr std::size_t kMaxPayload = 1U << 20U;
/// Bytes of body that may be under way on a stream, each way, before credit is needed.
inline constexpr std::uint32_t kWindow = 256U << 10U;
/// The headers of an answer, in the form of the wire. More is a failure of that one invocation.
inline constexpr std::size_t kMaxAnswerHeaders = 128U << 10U;
/// The largest body part that a sender puts into one frame.
inline constexpr std::size_t kMaxChunk = 64U << 10U;

enum class FrameType : std::uint8_t {
  // daemon → instance
  invoke = 1,  ///< a request: InvokeHead, then the first part of the body; kEnd: that is all of it
  abort = 2,   ///< the answer is not wanted any more; aux = AbortReason
  stop = 3,    ///< no invocation follows; the instance leaves when its streams are done
  ping = 4,    ///< answered by pong at once if the event loop turns
  // both ways
  body = 5,    ///< the next part of a body; kEnd: the last one
  credit = 6,  ///< aux more bytes of body may be sent
  // instance → daemon
  response = 7,  ///< aux = status; ResponseHead, then body; kEnd: that is all of it; kDone: slot is free
  error = 8,     ///< the handler failed; aux = ErrorKind; payload = message NUL stack
  done = 9,      ///< answer sent and all background work of the invocation ended: the slot is free
  fatal = 10,    ///< the instance is about to end; aux = FatalKind; payload = message NUL stack
  usage = 11,    ///< payload = three u64 so far: CPU ns of the process, ns its event loop was busy,
                 ///< invocations done. The first one, with none done, says that the instance serves.
  pong = 12,
  // Calls (call.h). Their `stream` is the number of the call, which the instance makes.
  call = 13,           ///< instance →: aux = CallKind; CallHead, then the first part of the body
  call_body = 14,      ///< both ways: the next part of a body; kEnd: the last one
  call_credit = 15,    ///< both ways: aux more bytes of body may be sent
  call_abort = 16,     ///< instance →: the answer is not wanted any more, and the number is free
  call_response = 17,  ///< daemon →: aux = status; ResponseHead, then body. kEnd: the number is free
  call_error = 18,     ///< daemon →: aux = HTTP status; CallError. There is no (rest of the) answer
};

/// A stream's number is a slot (low bits) and a generation (the rest, never 0), so that both ends find it
/// by index and a late frame of an ended stream meets nobody.
inline constexpr std::uint32_t kSlotBits = 10;
inline constexpr std::uint32_t kMaxStreams = 1U << kSlotBits;
[[nodiscard]] constexpr std::uint32_t slot_of(std::uint32_t stream) { return stream & (kMaxStreams - 1); }

/// Flags of a frame.
inline constexpr std::uint8_t kEnd = 1;    ///< the body ends with this frame
inline constexpr std::uint8_t kDone = 2;   ///< (response) the slot is free after this frame
inline constexpr std::uint8_t kEvent = 4;  ///< (invoke) the body is an event's payload, not an HTTP request

enum class AbortReason : std::uint32_t { client = 1, deadline = 2 };
enum class ErrorKind : std::uint32_t {
  threw = 1,   ///< the handler threw before it answered
  stream = 2,  ///< the answer broke off after its head was sent
  header = 3,  ///< the answer's headers are longer than kMaxAnswerHeaders
};
enum class FatalKind : std::uint32_t { uncaught = 1, rejection = 2, exit = 3 };

struct Frame {
  FrameType type{};
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::uint32_t aux = 0;
  std::string_view payload{};  ///< into the decoder's buffer: valid until the next call of the decoder

  [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

/// Append a frame's bytes. The payload must not exceed kMaxPayload.
void append_frame(std::string& out, const Frame& frame);

/// Begin a frame whose payload is appended by the caller; `end_frame` with the returned position fills
/// in its length.
[[nodiscard]] std::size_t begin_frame(std::string& out, const Frame& head);
void end_frame(std::string& out, std::size_t begin);

/// The head of an `invoke` payload. Headers are "name\0value\0…", names in lower case.
struct InvokeHead {
  std::uint64_t deadline = 0;   ///< CLOCK_MONOTONIC nanoseconds
  std::string_view invocation;  ///< the invocation's id
  std::string_view remote;      ///< the client's address, may be empty
  std::string_view scheme;      ///< "http" or "https"
  std::string_view method;
  std::string_view target;
  std::string_view headers;
};
void append_invoke_head(std::string& out, const InvokeHead& head);
/// Splits an invoke payload; `rest` is the first part of the body. Empty when malformed.
[[nodiscard]] std::optional<InvokeHead> parse_invoke_head(std::string_view payload, std::string_view& rest);

/// A `response` payload: u32 length of the headers, the headers, the body.
void append_response_head(std::string& out, std::string_view headers);
[[nodiscard]] std::optional<std::string_view> parse_response_head(std::string_view payload,
                                                                  std::string_view& rest);

/// Takes bytes as they come from the socket and gives whole frames. Never trusts a length beyond
/// kMaxPayload. Not thread-safe.
class FrameDecoder {
 public:
  FrameDecoder();
  /// Room for at least one byte to read into; invalidates earlier payloads. Commit what was read.
  [[nodiscard]] std::pair<char*, std::size_t> prepare();
  void commit(std::size_t bytes);
  /// The next whole frame, nothing if more bytes are needed, or a protocol error (final).
  [[nodiscard]] Result<std::optional<Frame>> next();
  /// Bytes that are buffered and not given yet.
  [[nodiscard]] std::size_t pending() const { return end_ - begin_; }

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

enum class WireErrc { malformed_frame = 1, frame_too_large, unknown_version };
[[nodiscard]] std::error_code make_error_code(WireErrc code);

}  // namespace mayfly::wire

template <>
struct std::is_error_code_enum<mayfly::wire::WireErrc> : std::true_type {};
