#include "base/reactor.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace mayfly {

void ReactorEntry::wait_for(std::uint32_t events) {
  if (reactor_ == nullptr || events == events_) return;
  events_ = events;
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  ::epoll_ctl(reactor_->epoll_.get(), EPOLL_CTL_MOD, fd_, &event);
}

void ReactorEntry::leave() {
  if (reactor_ == nullptr) return;
  ::epoll_ctl(reactor_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  // Found ready in this turn, but not called yet: must not be called any more.
  for (epoll_event& event : reactor_->to_call_)
    if (event.data.ptr == this) event.data.ptr = nullptr;
  reactor_ = nullptr;
}

Reactor::Reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_) return;
  std::perror("mayfly: epoll_create1");
  std::abort();
}

Result<void> Reactor::join(ReactorEntry& entry, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &entry;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return fail(std::error_code(errno, std::generic_category()), "a descriptor cannot be waited for");
  entry.reactor_ = this;
  entry.fd_ = fd;
  entry.events_ = events;
  return {};
}

void Reactor::at_turn_end(TurnEnd& work) {
  if (work.due_.is_linked()) return;
  const bool first = due_.empty();
  due_.push_back(work);
  if (first && !in_turn_ && wake) wake();
}

/// False: nothing is ready.
bool Reactor::look() {
  const int count = ::epoll_wait(epoll_.get(), found_.data(), static_cast<int>(found_.size()), 0);
  if (count <= 0) return false;
  to_call_ = std::span(found_).first(static_cast<std::size_t>(count));
  while (!to_call_.empty()) {
    const epoll_event event = to_call_.front();
    to_call_ = to_call_.subspan(1);
    if (event.data.ptr != nullptr) static_cast<ReactorEntry*>(event.data.ptr)->on_ready(event.events);
  }
  return true;
}

void Reactor::turn(int looks) {
  in_turn_ = true;
  while (looks > 0 && look()) --looks;
  finish_turn();
}

void Reactor::finish_turn() {
  in_turn_ = true;  // what becomes due from here on is done below
  while (!due_.empty()) {
    TurnEnd& work = due_.front();
    due_.pop_front();
    work.on_turn_end();
  }
  in_turn_ = false;
}

}  // namespace mayfly
