#include "exec/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "bridge/connection.h"

namespace mayfly::exec {

void Watch::open(Fd fd, std::uint32_t events, std::function<void()> ready) {
  close();
  fd_ = std::move(fd);
  ready_ = std::move(ready);
  resume(events);
}

void Watch::close() {
  leave();
  fd_.reset();
}

void Watch::resume(std::uint32_t events) {
  if (!fd_) return;
  if (joined())
    wait_for(events);
  else
    (void)reactor_of_.join(*this, fd_.get(), events);
}

int Loop::patience() const {
  if (moments_.empty()) return -1;
  const auto left = moments_.begin()->first - std::chrono::steady_clock::now();
  const auto ms = std::chrono::ceil<milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
}

std::uint64_t Loop::turn() {
  pollfd ready{reactor_.fd(), POLLIN, 0};
  ::poll(&ready, 1, patience());
  const auto begin = std::chrono::steady_clock::now();
  reactor_.turn(1);
  while (!moments_.empty() && moments_.begin()->first <= begin) {
    const auto then = std::move(moments_.begin()->second);
    moments_.erase(moments_.begin());
    then();
  }
  for (const auto& work : std::exchange(later_, {})) work();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<nanoseconds>(std::chrono::steady_clock::now() - begin).count());
}

void Loop::serve(bridge::Connection& connection, const std::function<bool()>& may_speak,
                 const std::function<bool()>& may_leave) {
  Watch socket(reactor_);
  socket.open(Fd(::fcntl(connection.fd(), F_DUPFD_CLOEXEC, 0)), EPOLLIN, [&connection] {
    if (!connection.read()) ::_exit(0);  // the daemon is gone
  });
  Watch log(reactor_);
  log.open(Fd(::fcntl(connection.log_fd(), F_DUPFD_CLOEXEC, 0)), EPOLLOUT,
           [&connection] { connection.flush_log(); });
  for (;;) {
    if (may_speak()) connection.flush();
    if (connection.log_waits())
      log.resume(EPOLLOUT);
    else
      log.pause();
    if (may_leave() && !connection.wants_write()) {
      connection.drain();
      ::_exit(0);
    }
    socket.resume(EPOLLIN | (may_speak() && connection.wants_write() ? EPOLLOUT : 0U));
    connection.add_busy(turn());
  }
}

}  // namespace mayfly::exec
