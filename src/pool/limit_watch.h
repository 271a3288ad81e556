// Looks at busy instances from time to time, and ends those that use more than one of them may. The control
// group of a version holds all of its instances together: this finds the one that takes the others' part.
//
// What one function does costs the others nothing of this: all instances are looked at as far as that is
// cheap, and what has many processes is looked at, and ended, on threads of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/deadline_wheel.h"
#include "base/descendants.h"
#include "base/fd.h"
#include "base/result.h"
#include "pool/instance_usage.h"

namespace mayfly::pool {

/// What can be ended for what it uses.
class Limited {
 public:
  virtual ~Limited() = default;
  virtual void end_because(const Error& why) = 0;
  /// It will be ended for this, once what it has started is: whatever ends it meanwhile, this is why.
  virtual void note_excess(const Error& why) = 0;
  /// A descriptor of its process (pidfd_open(2)); empty if there is none.
  [[nodiscard]] virtual Fd process() const = 0;
};

/// One instance, as it is looked at.
struct LimitSample {
  std::weak_ptr<Limited> instance;
  int pid = 0;
  std::uint64_t memory = 0;     ///< bytes that it may use
  std::uint64_t processes = 0;  ///< likewise, with threads
  const void* pool = nullptr;   ///< whose it is; the watch's own
};

/// Has instances that are to be looked at.
class LimitedPool {
 public:
  virtual ~LimitedPool() = default;
  /// Adds those that have worked since the last call. False: none has, it need not be asked again until it
  /// calls LimitWatch::busy().
  [[nodiscard]] virtual bool sample(std::vector<LimitSample>& samples) = 0;
  /// Adds those that have not: what started to work behind an answer, or has not come to serving. False:
  /// there is nothing that could, it need not be asked again until it calls LimitWatch::guard().
  [[nodiscard]] virtual bool sample_idle(std::vector<LimitSample>& samples) = 0;
};

/// The error of an instance that uses more than it may; nothing if it does not.
[[nodiscard]] std::optional<Error> over_limit(const LimitSample& sample, const InstanceUsage& usage);

/// One for each shard, on its thread. While nothing works, and no pool is guarded, it does not wake.
class LimitWatch final : private DeadlineEntry {
 public:
  static constexpr milliseconds kInterval{50};
  /// … and less often where looking takes long: at most a tenth of the time is spent on it.
  static constexpr int kPause = 10;
  /// At those that do not seem to work, of guarded pools.
  static constexpr milliseconds kIdleInterval{1000};
  /// So many are looked at in one turn; if there are more, they take turns.
  static constexpr std::size_t kMost = 256;
  /// An instance with more processes and threads than this is a large one; and so is one whose processes may
  /// have more than it may.
  static constexpr std::uint64_t kFew = 16;

  /// What need not wait for each other: each has a thread of its own, or more.
  enum class Lane : std::uint8_t {
    looks,       ///< at all instances; takes a bounded time for each
    large_ones,  ///< one look at a large instance, functions taking turns
    ends         ///< of what a process bomb has made: as long as that takes
  };
  static constexpr std::size_t kLanes = 3;

  struct Options {
    /// Runs work on another thread, and `then` on this one; not run any more when the watch is gone.
    std::function<void(Lane lane, std::function<void()> work, std::function<void()> then)> elsewhere;
    std::function<InstanceUsage(int pid, std::uint64_t most_processes)> measure = measure_instance;
    /// Ends what an instance with too many processes has started. The fork server does so with what is left
    /// behind, but has to share its processor with all of them. By the descriptor: it may end meanwhile.
    std::function<void(int pidfd)> end_descendants = mayfly::end_descendants;
    /// For a large one, where `measure` leaves open whether it has too much.
    std::function<std::uint64_t(int pid, std::uint64_t most_processes)> measure_memory = pool::measure_memory;
  };
  /// The wheel must outlive it.
  LimitWatch(DeadlineWheel& wheel, Options options) : wheel_(wheel), options_(std::move(options)) {}
  ~LimitWatch() override { *alive_ = false; }

  /// Something works in this pool. Cheap.
  void busy(LimitedPool& pool) {
    if (pools_.insert(&pool).second) wake(kInterval);
  }
  /// No control group limits what this pool has: it is looked at also while nothing seems to work. Cheap.
  void guard(LimitedPool& pool) {
    if (guarded_.insert(&pool).second) wake(kIdleInterval);
  }
  void forget(LimitedPool& pool) {
    pools_.erase(&pool);
    guarded_.erase(&pool);
    served_.erase(&pool);
  }

 private:
  struct Large {
    LimitSample sample;
    bool has_worked = true;  ///< since the last look
    bool ending = false;     ///< it was found to be too large
    unsigned pause = 0;      ///< turns until it may be looked at again
  };
  struct Found;

  void on_deadline() override;
  void wake(nanoseconds pause);
  void wake_again(nanoseconds pause);
  [[nodiscard]] std::vector<LimitSample> samples();
  [[nodiscard]] bool idle_ones_are_due();
  void look(std::vector<LimitSample> samples);
  void look_at_a_large_one();
  void on_looked_at_large(const Found& found);
  void on_found(const Found& found);
  void end_with_descendants(const std::shared_ptr<Limited>& instance, const Found& found);

  DeadlineWheel& wheel_;
  Options options_;
  std::unordered_set<LimitedPool*> pools_;
  std::unordered_set<LimitedPool*> guarded_;
  nanoseconds since_idle_{0};  // waited since the last look at idle ones
  nanoseconds waits_for_{0};
  std::unordered_map<const Limited*, Large> large_;
  std::unordered_map<const void*, std::uint64_t> served_;  // pools, and when a large one of theirs was last
  std::uint64_t large_looks_ = 0;
  std::size_t turn_ = 0;
  bool looking_ = false;
  bool looking_at_large_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mayfly::pool
