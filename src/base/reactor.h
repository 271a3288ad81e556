// Which of many descriptors are ready, and what is to be done once they were looked at: the reactor pattern
// (Schmidt, "Reactor", 1995) over epoll(7), level-triggered.
//
// It stands beside Asio, for descriptors that are read again and again. Asio tries every read before it
// waits, which costs one failed system call for each request on a connection that is kept; here a descriptor
// is registered once and read when there is something to read.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace mayfly {

class Reactor;

/// Something with a descriptor. Derive from it; it leaves its reactor when it is destroyed, which it must
/// not outlive. The descriptor stays the deriving class's own; leave() before closing it.
class ReactorEntry {
 public:
  ReactorEntry() = default;
  ReactorEntry(const ReactorEntry&) = delete;
  ReactorEntry& operator=(const ReactorEntry&) = delete;
  virtual ~ReactorEntry() { leave(); }

  /// The descriptor is ready for `events` (EPOLLIN, EPOLLOUT; EPOLLHUP and EPOLLERR come unasked). May leave
  /// the reactor, destroy this entry and others.
  virtual void on_ready(std::uint32_t events) = 0;

  /// Changes what is waited for. Free when nothing changes.
  void wait_for(std::uint32_t events);
  void leave();
  [[nodiscard]] bool joined() const { return reactor_ != nullptr; }

 private:
  friend class Reactor;
  Reactor* reactor_ = nullptr;
  int fd_ = -1;
  std::uint32_t events_ = 0;
};

/// Work for the end of a turn, so that what a turn brings about is done together (one write for many frames).
class TurnEnd {
 public:
  TurnEnd() = default;
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;
  virtual ~TurnEnd() = default;
  virtual void on_turn_end() = 0;

 private:
  friend class Reactor;
  boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> due_;
};

/// Not thread-safe. The owner watches fd() for input, calls turn() when there is some, and sees to it that
/// finish_turn() follows `wake`.
class Reactor {
 public:
  /// Ends the program when the kernel has no descriptor for it.
  Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor() = default;

  /// Readable when an entry is ready.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  /// Called when something becomes due at the end of a turn while no turn is under way.
  std::function<void()> wake;

  /// Fails with the kernel's error when it takes no more. An entry is in one reactor at a time.
  [[nodiscard]] Result<void> join(ReactorEntry& entry, int fd, std::uint32_t events);
  /// Once, however often it is asked for. The work may be destroyed before.
  void at_turn_end(TurnEnd& work);

  /// Calls every entry that is ready, and again up to `looks` times while there are any; then does what is
  /// due.
  void turn(int looks);
  /// Does what is due.
  void finish_turn();

 private:
  friend class ReactorEntry;
  bool look();

  Fd epoll_;
  std::array<epoll_event, 256> found_{};
  std::span<epoll_event> to_call_;  // of this turn, not called yet
  bool in_turn_ = false;
  boost::intrusive::list<TurnEnd,
                         boost::intrusive::member_hook<TurnEnd, decltype(TurnEnd::due_), &TurnEnd::due_>,
                         boost::intrusive::constant_time_size<false>>
      due_;
};

}  // namespace mayfly
