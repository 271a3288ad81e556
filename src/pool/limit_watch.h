// Looks at busy instances from time to time, and ends those that use more than one of them may. The control
// group of a version holds all of its instances together: this finds the one that takes the others' part.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/deadline_wheel.h"
#include "base/reap.h"
#include "base/result.h"
#include "pool/instance_usage.h"

namespace mayfly::pool {

/// What can be ended for what it uses.
class Limited {
 public:
  virtual ~Limited() = default;
  virtual void end_because(const Error& why) = 0;
};

/// One instance, as it is looked at.
struct LimitSample {
  std::weak_ptr<Limited> instance;
  int pid = 0;
  std::uint64_t memory = 0;     ///< bytes that it may use
  std::uint64_t processes = 0;  ///< likewise, with threads
};

/// Has instances that are to be looked at.
class LimitedPool {
 public:
  virtual ~LimitedPool() = default;
  /// Adds those that have worked since the last call. False: none has, it need not be asked again until it
  /// calls LimitWatch::busy().
  [[nodiscard]] virtual bool sample(std::vector<LimitSample>& samples) = 0;
};

/// The error of an instance that uses more than it may; nothing if it does not.
[[nodiscard]] std::optional<Error> over_limit(const LimitSample& sample, const InstanceUsage& usage);

/// One for each shard, on its thread. While nothing works it does not wake.
class LimitWatch final : private DeadlineEntry {
 public:
  static constexpr milliseconds kInterval{50};
  /// … and less often where looking takes long: at most a tenth of the time is spent on it.
  static constexpr int kPause = 10;
  /// So many are looked at in one turn; if there are more, they take turns.
  static constexpr std::size_t kMost = 256;

  struct Options {
    /// Runs work on another thread, and `then` on this one; not run any more when the watch is gone.
    std::function<void(std::function<void()> work, std::function<void()> then)> elsewhere;
    std::function<InstanceUsage(int pid, std::uint64_t most_processes)> measure = measure_instance;
    /// Ends what an instance with too many processes has started. The fork server does so with what is left
    /// behind, but has to share its processor with all of them.
    std::function<void(int pid)> end_descendants = mayfly::end_descendants;
  };
  /// The wheel must outlive it.
  LimitWatch(DeadlineWheel& wheel, Options options) : wheel_(wheel), options_(std::move(options)) {}
  ~LimitWatch() override { *alive_ = false; }

  /// Something works in this pool. Cheap.
  void busy(LimitedPool& pool) {
    if (pools_.insert(&pool).second) wake(kInterval);
  }
  void forget(LimitedPool& pool) { pools_.erase(&pool); }

 private:
  void on_deadline() override;
  void wake(nanoseconds pause);

  DeadlineWheel& wheel_;
  Options options_;
  std::unordered_set<LimitedPool*> pools_;
  std::size_t turn_ = 0;
  bool measuring_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mayfly::pool
