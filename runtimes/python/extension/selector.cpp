#include "selector.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <utility>

#include "server.h"

namespace mayfly::python {
namespace {

constexpr int kMaxEvents = 64;
using Events = std::array<epoll_event, kMaxEvents>;

/// The interpreter's lock is given up only for a wait that may last.
int wait(int epoll, int milliseconds, Events& events) {
  if (milliseconds == 0) return ::epoll_wait(epoll, events.data(), kMaxEvents, 0);
  PyThreadState* state = PyEval_SaveThread();
  const int count = ::epoll_wait(epoll, events.data(), kMaxEvents, milliseconds);
  const int error = errno;
  PyEval_RestoreThread(state);
  errno = error;
  return count;
}

int in_milliseconds(double seconds) {
  return seconds < 0 ? -1 : static_cast<int>(std::ceil(std::min(seconds, 86'400.0) * 1e3));
}

}  // namespace

void Selector::open(int epoll) {
  wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, wake_.get(), &event);
  attach(nullptr);
}

void Selector::attach(Server* server) {
  server_ = server;
  watched_ = 0;
  log_watched_ = -1;
}

void Selector::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

bool Selector::serving() const { return server_ != nullptr && !server_->stopped(); }

void Selector::watch(int epoll) {
  auto& connection = server_->connection();
  epoll_event event{};
  if (connection.log_waits() && log_watched_ < 0) {
    log_watched_ = connection.log_fd();
    event.events = EPOLLOUT | EPOLLONESHOT;
    event.data.fd = log_watched_;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, log_watched_, &event);
  }
  const std::uint32_t wanted = connection.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (wanted == watched_) return;
  event.events = wanted;
  event.data.fd = connection.fd();
  ::epoll_ctl(epoll, watched_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection.fd(), &event);
  watched_ = wanted;
}

PyObject* Selector::poll(int epoll, double timeout, PyObject* ready, PyObject* scheduled) {
  const auto began = timeout > 0 ? bridge::monotonic_now() : 0;
  const auto timers = PyObject_Size(scheduled);
  const int data = serving() ? server_->connection().fd() : -1;
  Ref others(PyList_New(0));
  Events events{};
  while (others) {
    if (data >= 0) {
      server_->rest();
      watch(epoll);
    }
    double left = PyObject_Size(ready) > 0 ? 0 : timeout;
    if (left > 0) left = std::max(0.0, left - static_cast<double>(bridge::monotonic_now() - began) * 1e-9);
    const int count = wait(epoll, in_milliseconds(left), events);
    if (count < 0 && errno == EINTR && PyErr_CheckSignals() != 0) return nullptr;
    bool own = false;
    bool woken = false;
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == wake_.get()) {
        std::uint64_t times = 0;
        woken = ::read(wake_.get(), &times, sizeof times) > 0;
      } else if (event.data.fd == data) {
        own = (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
      } else if (event.data.fd == log_watched_) {  // rest() sends
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, std::exchange(log_watched_, -1), nullptr);
      } else {
        const Ref pair(Py_BuildValue("(iI)", event.data.fd, event.events));
        if (!pair || PyList_Append(others.get(), pair.get()) != 0) return nullptr;
      }
    }
    if (own) server_->read();
    // `left`: a timer is due, however much the daemon has to say.
    if (count <= 0 || left == 0 || woken || PyList_Size(others.get()) > 0 || PyObject_Size(ready) > 0 ||
        PyObject_Size(scheduled) != timers || (data >= 0 && !serving()))
      break;
  }
  if (data >= 0) server_->rest();
  return others.release();
}

}  // namespace mayfly::python
