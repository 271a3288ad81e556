// Many deadlines, most of which are cancelled before they come: a hashed timing wheel
// (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6).
// Adding and cancelling are O(1) and touch no timer of the system.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace mayfly {

class DeadlineWheel;

/// Something with a deadline. Derive from it; it cancels itself when it is destroyed. An entry must not
/// outlive its wheel while it is pending.
class DeadlineEntry {
 public:
  DeadlineEntry() = default;
  DeadlineEntry(const DeadlineEntry&) = delete;
  DeadlineEntry& operator=(const DeadlineEntry&) = delete;
  virtual ~DeadlineEntry() { cancel(); }

  /// Called once from DeadlineWheel::advance, not before the deadline; the entry is not pending any more
  /// and may be added again or destroyed.
  virtual void on_deadline() = 0;

  void cancel();
  [[nodiscard]] bool pending() const { return wheel_ != nullptr; }
  [[nodiscard]] MonotonicTime deadline() const { return deadline_; }

 private:
  friend class DeadlineWheel;
  DeadlineWheel* wheel_ = nullptr;
  DeadlineEntry* next_ = nullptr;
  DeadlineEntry** link_ = nullptr;  // the pointer that points here
  MonotonicTime deadline_{};
};

/// Not thread-safe. Deadlines are met late by at most one tick.
class DeadlineWheel {
 public:
  static constexpr milliseconds kTick{4};
  static constexpr std::size_t kSlots = 1024;
  static constexpr auto kRevolution = kTick * kSlots;

  explicit DeadlineWheel(MonotonicTime now) : last_(tick_of(now)) {}

  /// (Re-)arms an entry.
  void add(DeadlineEntry& entry, MonotonicTime deadline);
  /// Calls on_deadline of every entry whose deadline is not after `now`.
  void advance(MonotonicTime now);
  /// When advance() should be called next, at the latest; nothing is pending: MonotonicTime::max().
  [[nodiscard]] MonotonicTime next() const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class DeadlineEntry;
  static std::uint64_t tick_of(MonotonicTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch() / kTick);
  }
  void unlink(DeadlineEntry& entry);

  std::array<DeadlineEntry*, kSlots> slots_{};
  std::uint64_t last_;  // every slot up to this tick has been looked at
  std::size_t size_ = 0;
};

}  // namespace mayfly
