// The event loop of an instance: descriptors that wait, moments that come, and the connection to the daemon.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/reactor.h"

namespace mayfly::bridge {
class Connection;
}

namespace mayfly::exec {

/// A descriptor and what is to be done when it is ready. Paused it is not looked at at all: epoll tells of a
/// hang-up even to who waits for nothing.
class Watch final : public ReactorEntry {
 public:
  explicit Watch(Reactor& reactor) : reactor_of_(reactor) {}
  ~Watch() override { close(); }

  /// Takes the descriptor. `ready` may close or pause this watch, but not destroy it.
  void open(Fd fd, std::uint32_t events, std::function<void()> ready);
  void close();
  void pause() { leave(); }
  void resume(std::uint32_t events);
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

 private:
  void on_ready(std::uint32_t) override { ready_(); }

  Reactor& reactor_of_;
  Fd fd_;
  std::function<void()> ready_;
};

/// Not thread-safe.
class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  [[nodiscard]] Reactor& reactor() { return reactor_; }

  using Moments = std::multimap<MonotonicTime, std::function<void()>>;
  using Moment = Moments::iterator;
  /// Calls `then` once, at about that time.
  Moment at(MonotonicTime time, std::function<void()> then) {
    return moments_.emplace(time, std::move(then));
  }
  void cancel(Moment moment) { moments_.erase(moment); }
  /// Keeps something alive until no callback of this turn can be inside of it.
  void later(std::function<void()> work) { later_.push_back(std::move(work)); }

  /// One turn: waits until something is ready or due, and deals with it. Returns the nanoseconds of work.
  std::uint64_t turn();
  /// Turns until the daemon is gone, or until `may_leave` says that everything is done: then the process
  /// ends, well. Frames are sent while `may_speak` says true.
  [[noreturn]] void serve(bridge::Connection& connection, const std::function<bool()>& may_speak,
                          const std::function<bool()>& may_leave);

 private:
  [[nodiscard]] int patience() const;

  Reactor reactor_;
  Moments moments_;
  std::vector<std::function<void()>> later_;
};

}  // namespace mayfly::exec
