// What is metered on a shard: sums of every version there, handed to the ledger about once a second.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/deadline_wheel.h"
#include "meter/usage.h"

namespace mayfly::meter {

/// Has figures that grow while nothing ends: instances that are there, and what they use beside invocations.
class MeteredLater {
 public:
  virtual ~MeteredLater() = default;
  /// Add to the account what has grown until now. False: nothing will grow by itself until it adds again.
  [[nodiscard]] virtual bool bring_up_to_date() = 0;
};

class Meter;

/// What one version uses on this shard. Held by who adds to it; belongs to the shard's thread.
class UsageAccount {
 public:
  /// The meter and `grows` outlive it.
  UsageAccount(Meter& meter, UsageKey key, MeteredLater& grows);
  ~UsageAccount();
  UsageAccount(const UsageAccount&) = delete;
  UsageAccount& operator=(const UsageAccount&) = delete;

  void add(const UsageRecord& record);
  /// To be added to: what belongs to no invocation.
  [[nodiscard]] Usage& own();
  /// So many run now.
  void note_running(std::uint64_t running) {
    if (running > sums_.peak) sums_.peak = running;
  }

 private:
  friend class Meter;
  Meter& meter_;
  const UsageKey key_;
  MeteredLater& grows_;
  Usage sums_{};
};

/// One for each shard, on its thread. While nothing is added and nothing grows it does not wake.
class Meter final : private DeadlineEntry {
 public:
  static constexpr milliseconds kInterval{1'000};
  /// … and so often while instances only are there.
  static constexpr milliseconds kIdleInterval{20'000};
  /// Records that are kept one by one, of each interval: the first ones. The rest is in the sums alone.
  static constexpr std::size_t kMostSingles = 200;

  /// Takes a batch and may leave it, when it has no room: it is offered again, with what came meanwhile.
  using Sink = std::function<bool(UsageBatch& batch)>;

  /// The clock and the wheel outlive it.
  Meter(const Clock& clock, DeadlineWheel& wheel, Sink sink)
      : clock_(clock), wheel_(wheel), sink_(std::move(sink)) {}

  /// Hands over all that there is now, as far as the sink takes it.
  void flush();

 private:
  friend class UsageAccount;
  void on_deadline() override { flush(); }
  /// Something was added.
  void wake() {
    if (!soon_) wake_soon();
  }
  void wake_soon();
  void keep(UsageAccount& account);
  void leave(UsageAccount& account);
  void collect(UsageAccount& account);

  const Clock& clock_;
  DeadlineWheel& wheel_;
  Sink sink_;
  std::set<UsageAccount*> accounts_;
  std::map<UsageKey, Usage> collected_;  // and not taken yet
  UsageBatch batch_;                     // its records, and when it began
  bool soon_ = false;                    // it wakes within kInterval
};

}  // namespace mayfly::meter
