// Log lines on their way from an instance to the daemon, on a SOCK_SEQPACKET socket of their own, so
// that a flood of them never delays an answer and a full socket never blocks a function.
//
// A packet holds one or more records. What does not begin with kLogMagic is text that was written to
// file descriptor 1 or 2 without the bridge (native code, a runtime's last words).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mayfly::wire {

inline constexpr std::uint8_t kLogMagic = 0x01;
/// A line's text is cut at this many bytes; `full_length` keeps what it was.
inline constexpr std::size_t kMaxLogText = 16U << 10U;
/// The largest packet.
inline constexpr std::size_t kMaxLogPacket = 64U << 10U;

enum class LogLevel : std::uint8_t { debug = 1, info = 2, warn = 3, error = 4 };

struct LogRecord {
  LogLevel level = LogLevel::info;
  std::string_view invocation{};  ///< id, empty when not known
  std::string_view text{};
  std::uint32_t full_length = 0;  ///< bytes of the text before it was cut
  std::uint32_t dropped = 0;      ///< records lost before this one since the socket was full
};

/// Append a record, its text cut to kMaxLogText.
void append_log_record(std::string& out, const LogRecord& record);
/// The same into room that is there, and safe inside a signal's handler. How many bytes it took; 0: it does
/// not fit.
[[nodiscard]] std::size_t put_log_record(std::span<char> room, const LogRecord& record);
/// Take the first record off `bytes`. False when there is none or the packet is malformed (then drop it).
[[nodiscard]] bool take_log_record(std::string_view& bytes, LogRecord& record);

}  // namespace mayfly::wire
