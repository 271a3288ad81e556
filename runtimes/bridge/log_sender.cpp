#include "bridge/log_sender.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace mayfly::bridge {

bool LogSender::send(std::string_view packet) {
  for (;;) {
    if (::send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno != EINTR) return errno != EAGAIN && errno != ENOBUFS;  // a broken socket takes everything
  }
}

void LogSender::open(Fd socket) {
  socket_ = std::move(socket);
  forget();
}

void LogSender::forget() {
  waiting_.clear();
  dropped_ = 0;
}

void LogSender::log(wire::LogRecord record) {
  flush();
  record.dropped = dropped_;
  scratch_.clear();
  wire::append_log_record(scratch_, record);
  if (waiting_.empty() && send(scratch_)) {
    dropped_ = 0;
  } else if (waiting_.size() + scratch_.size() <= kMaxWaiting) {
    waiting_ += scratch_;
    dropped_ = 0;
  } else {
    ++dropped_;
  }
}

void LogSender::flush() {
  std::string_view rest = waiting_;
  while (!rest.empty()) {
    // As many whole records as one packet holds.
    std::string_view after = rest;
    wire::LogRecord record;
    std::size_t packet = 0;
    while (wire::take_log_record(after, record) && rest.size() - after.size() <= wire::kMaxLogPacket)
      packet = rest.size() - after.size();
    if (packet == 0) {  // cannot be: only whole records are appended
      rest = {};
      break;
    }
    if (!send(rest.substr(0, packet))) break;
    rest.remove_prefix(packet);
  }
  if (rest.size() != waiting_.size()) waiting_.erase(0, waiting_.size() - rest.size());
  if (!waiting_.empty() || dropped_ == 0) return;
  // Perhaps no line follows that could tell it.
  scratch_.clear();
  wire::append_log_record(scratch_, {wire::LogLevel::warn, {}, {}, 0, dropped_});
  if (send(scratch_)) dropped_ = 0;
}

void LogSender::drain(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (flush(); waiting() && std::chrono::steady_clock::now() < until; flush()) {
    pollfd writable{socket_.get(), POLLOUT, 0};
    ::poll(&writable, 1, 50);
  }
}

}  // namespace mayfly::bridge
