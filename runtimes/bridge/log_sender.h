// Sends log lines to the daemon without ever waiting: what the socket does not take is kept, up to a
// bound, and beyond it dropped and counted.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "wire/log_record.h"

namespace mayfly::bridge {

class LogSender {
 public:
  /// Lines that wait for the socket, in bytes.
  static constexpr std::size_t kMaxWaiting = 1U << 20U;

  void open(Fd socket) { socket_ = std::move(socket); }
  void log(wire::LogRecord record);
  /// Send what waits, as far as the socket takes it.
  void flush();
  [[nodiscard]] bool waiting() const { return !waiting_.empty(); }

 private:
  [[nodiscard]] bool send(std::string_view packet);

  Fd socket_;
  std::string scratch_;
  std::string waiting_;  // whole records
  std::uint32_t dropped_ = 0;
};

}  // namespace mayfly::bridge
