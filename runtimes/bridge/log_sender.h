// Sends log lines to the daemon without ever waiting: what the socket does not take is kept, up to a
// bound, and beyond it dropped and counted.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "wire/log_record.h"

namespace mayfly::bridge {

class LogSender {
 public:
  /// Lines that wait for the socket, in bytes.
  static constexpr std::size_t kMaxWaiting = 1U << 20U;

  /// Forgets what waits: that was for another socket.
  void open(Fd socket);
  void log(wire::LogRecord record);
  /// What waits is another process's to send.
  void forget();
  /// Send what waits, as far as the socket takes it.
  void flush();
  /// Sends what waits, and waits for the daemon to take it, at most so long.
  void drain(std::chrono::milliseconds patience);
  /// While there is something to send, the socket is to be watched for writing, and flush() called then.
  [[nodiscard]] bool waiting() const { return !waiting_.empty() || dropped_ > 0; }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  [[nodiscard]] bool send(std::string_view packet);

  Fd socket_;
  std::string scratch_;
  std::string waiting_;  // whole records
  std::uint32_t dropped_ = 0;
};

}  // namespace mayfly::bridge
