// Many deadlines, most of which are cancelled before they come: a hashed timing wheel
// (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 6).
// Adding and cancelling are O(1) and touch no timer of the system.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

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
  /// When advance() has something to do: never late, may be early when very much is pending. Nothing is
  /// pending: MonotonicTime::max().
  [[nodiscard]] MonotonicTime next() const;
  /// Who calls advance() will not do so before `until`: add() calls on_earlier if that gets too late. Holds
  /// until the next advance().
  void sleep(MonotonicTime until);
  /// See sleep(). Gets the new time; it is for this one as if sleep() had been called with it.
  std::function<void(MonotonicTime when)> on_earlier;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class DeadlineEntry;
  static std::uint64_t tick_of(MonotonicTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch() / kTick);
  }
  /// When a tick is over, and what was due in it can be looked at.
  static MonotonicTime end_of(std::uint64_t tick) {
    return MonotonicTime{} + std::chrono::duration_cast<MonotonicTime::duration>(kTick * (tick + 1));
  }
  void put(DeadlineEntry& entry, std::uint64_t tick);
  void unlink(DeadlineEntry& entry);

  std::array<DeadlineEntry*, kSlots> slots_{};
  std::uint64_t last_;              // every slot up to this tick has been looked at
  std::uint64_t sleeps_until_ = 0;  // what comes in an earlier tick must be told
  std::size_t size_ = 0;
};

}  // namespace mayfly
