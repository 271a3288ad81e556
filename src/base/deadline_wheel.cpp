#include "base/deadline_wheel.h"

#include <algorithm>

namespace mayfly {

void DeadlineEntry::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

void DeadlineWheel::add(DeadlineEntry& entry, MonotonicTime deadline) {
  entry.cancel();
  // A deadline that is over belongs to the next tick: its slot has been looked at already.
  const auto tick = std::max(tick_of(deadline), last_ + 1);
  auto& head = slots_[tick % kSlots];
  entry.deadline_ = deadline;
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
  for (std::uint64_t ahead = 1; ahead <= kSlots; ++ahead)
    if (slots_[(last_ + ahead) % kSlots] != nullptr)
      return MonotonicTime{} +
             std::chrono::duration_cast<MonotonicTime::duration>(kTick * (last_ + ahead + 1));
  return MonotonicTime::max();
}

}  // namespace mayfly
