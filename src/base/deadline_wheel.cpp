#include "base/deadline_wheel.h"

#include <algorithm>

namespace mayfly {
namespace {

/// So many entries are looked at to find the next one; beyond them it is cheaper to wake once too often.
constexpr int kLookAt = 256;

}  // namespace

void DeadlineEntry::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

void DeadlineWheel::add(DeadlineEntry& entry, MonotonicTime deadline) {
  entry.cancel();
  // A deadline that is over belongs to the next tick: its slot has been looked at already.
  const auto tick = std::max(tick_of(deadline), last_ + 1);
  entry.deadline_ = deadline;
  put(entry, tick);
  if (tick < sleeps_until_) {
    sleeps_until_ = tick;
    on_earlier(end_of(tick));
  }
}

void DeadlineWheel::sleep(MonotonicTime until) {
  sleeps_until_ = until == MonotonicTime::max() ? UINT64_MAX : tick_of(until) - 1;
}

void DeadlineWheel::put(DeadlineEntry& entry, std::uint64_t tick) {
  auto& head = slots_[tick % kSlots];
  entry.wheel_ = this;
  entry.next_ = head;
  entry.link_ = &head;
  if (head != nullptr) head->link_ = &entry.next_;
  head = &entry;
  ++size_;
}

void DeadlineWheel::unlink(DeadlineEntry& entry) {
  *entry.link_ = entry.next_;
  if (entry.next_ != nullptr) entry.next_->link_ = entry.link_;
  entry.wheel_ = nullptr;
  entry.next_ = nullptr;
  entry.link_ = nullptr;
  --size_;
}

void DeadlineWheel::advance(MonotonicTime now) {
  // The tick that `now` lies in is not over: its entries may have deadlines still to come.
  const auto until = tick_of(now) - 1;
  sleeps_until_ = 0;
  if (until <= last_) return;
  const auto first = std::max(last_ + 1, until >= kSlots ? until - kSlots + 1 : 0);
  last_ = until;
  for (auto tick = first; tick <= until; ++tick) {
    // A callback may cancel or add any entry, so the list is moved aside and eaten from its head.
    DeadlineEntry* aside = slots_[tick % kSlots];
    slots_[tick % kSlots] = nullptr;
    if (aside != nullptr) aside->link_ = &aside;
    while (aside != nullptr) {
      DeadlineEntry& entry = *aside;
      unlink(entry);
      if (entry.deadline_ <= now)
        entry.on_deadline();
      else
        add(entry, entry.deadline_);  // a later revolution
    }
  }
}

MonotonicTime DeadlineWheel::next() const {
  if (size_ == 0) return MonotonicTime::max();
  auto earliest = UINT64_MAX;
  int looked_at = 0;
  auto tick = last_;
  while (earliest > tick && looked_at < kLookAt && tick < last_ + kSlots) {
    ++tick;
    for (const DeadlineEntry* entry = slots_[tick % kSlots]; entry != nullptr; entry = entry->next_) {
      earliest = std::min(earliest, std::max(tick_of(entry->deadline_), last_ + 1));
      ++looked_at;
    }
  }
  return end_of(looked_at < kLookAt ? earliest : std::min(earliest, tick + 1));
}

}  // namespace mayfly
