// A version whose instances are ended for what they use, one after the other: for a while it has of the
// processor what the other functions leave.
#pragma once

#include <functional>
#include <utility>

#include "base/clock.h"
#include "base/deadline_wheel.h"

namespace mayfly::pool {

/// Making hundreds of processes or filling memory, and ending it again, is the kernel's work: at the cost of
/// the neighbours, if it is done again and again. Once is no reason: whoever leaks is ended, and starts anew.
///
/// Belongs to one shard's thread.
class HoldBack final : private DeadlineEntry {
 public:
  /// A second end within this time holds it back, until there was none for as long.
  static constexpr std::chrono::seconds kMemory{10};

  /// `set` is called with true when it begins and with false when it is over. The wheel must outlive it.
  HoldBack(DeadlineWheel& wheel, std::function<void(bool)> set) : wheel_(wheel), set_(std::move(set)) {}

  /// An instance was ended because it used more than it may.
  void note_excess(MonotonicTime now);
  [[nodiscard]] bool held_back() const { return held_back_; }

 private:
  void on_deadline() override;

  DeadlineWheel& wheel_;
  std::function<void(bool)> set_;
  bool held_back_ = false;
};

}  // namespace mayfly::pool
