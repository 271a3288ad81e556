// Keep-alive: how many warm templates and instances to hold while nobody uses them.
//
// The policy joins three published ones:
//  - Fuerst & Sharma, "FaasCache" (ASPLOS 2021): keeping functions alive is caching; what matters is the cost
//    of a new start, the size, and how often it is used (Greedy-Dual-Size-Frequency).
//  - Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020): learn each function's distribution of idle
//    times; drop early and start ahead of demand where the distribution says so (hybrid histogram).
//  - Beckmann, Chen & Cidon, "LHD" (NSDI 2018): rank by hit density, expected hits per byte and second of the
//    *remaining* idle time. It takes the place of Greedy-Dual's frequency × cost / size, which cannot see
//    that a thing idle for 20 minutes is worthless, or is due in 10 seconds.
// Memory has a price. An idle thing is kept while the starts it is expected to avoid are worth its rent; over
// the budget, the lowest density leaves first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "pool/reuse_model.h"

namespace mayfly::pool {

struct KeepAliveOptions {
  /// Bytes of all entries, busy ones included. Busy entries are never evicted, so they may exceed it.
  std::uint64_t budget = UINT64_MAX;
  /// What memory costs: milliseconds of starting that 1 GiB (2^30) held for one second must save. The default
  /// keeps a template of 30 MiB that takes 20 ms to make for about ten minutes when nothing is known of it.
  /// 0: keep everything until the budget is reached.
  double price_ms_per_gib_second = 0.25;
  /// A start ahead of demand costs this share of the start it avoids. 1 or more: never start ahead.
  double prewarm_cost = 0.2;
};

/// What the policy must know of a group of interchangeable entries: the template of one version (at most one
/// entry), or its instances.
struct EntryKind {
  std::uint64_t bytes = 0;     ///< of one entry; correct it with measured()
  double start_ms = 1;         ///< what it costs to make one again
  std::uint32_t at_least = 0;  ///< entries that are never evicted (min_instances); see keep_at_least()
};

/// The policy. Pure: no clock, no threads, no I/O; `now` must not go backwards. One object per shard.
///
/// Entries of one key are interchangeable, and the pool takes the one used last. So the policy counts them
/// and names no one: "evict one of key 7", and the pool ends the idle one that was used least recently. What
/// it learns is when the k-th simultaneous entry of a key is needed again, which holds whether it is kept or
/// not.
///
/// taken() and returned() cost nanoseconds (the hot path: they touch no queue while idle times are below a
/// second); the rest is O(log n) in entries.
///
///     cold start:   started(key, now); taken(key, now);
///     reuse:        taken(key, now);  …  returned(key, now);
///     the loop:     for (auto action : policy.decide(now)) …;  arm a timer for policy.next_decision();
///     memory short: call decide() after started() and measured(), until it answers nothing.
class KeepAlive {
 public:
  using Key = std::uint64_t;

  struct Action {
    enum class Kind : std::uint8_t {
      evict,   ///< end one idle entry of the key. Already off the books: do not report lost().
      prewarm  ///< make one ahead of demand: then started(), or prewarm_failed().
    };
    Kind kind;
    Key key;
  };

  explicit KeepAlive(KeepAliveOptions options);
  ~KeepAlive();
  KeepAlive(KeepAlive&&) noexcept;
  KeepAlive& operator=(KeepAlive&&) noexcept;

  /// A key must be added before it is used, once. What was learned of it goes with remove(); its entries must
  /// be gone or be ended by the caller.
  void add(Key key, EntryKind kind);
  void remove(Key key);
  [[nodiscard]] bool contains(Key key) const;

  /// The mean size of the key's entries, as measured.
  void measured(Key key, std::uint64_t bytes);
  /// What it costs to make one, as measured.
  void start_took(Key key, double start_ms);
  void keep_at_least(Key key, std::uint32_t entries);

  void started(Key key, MonotonicTime now);   ///< an entry exists now, idle
  void taken(Key key, MonotonicTime now);     ///< idle → busy. Needs an idle entry.
  void returned(Key key, MonotonicTime now);  ///< busy → idle. Needs a busy entry.
  /// An entry ended by itself (crash, deadline, recycled) or by the user.
  void lost(Key key, bool was_busy, MonotonicTime now);
  void prewarm_failed(Key key);

  /// What to do now, most urgent first. Call at next_decision() and whenever memory grew.
  [[nodiscard]] std::vector<Action> decide(MonotonicTime now);
  /// When decide() next has something to look at; nothing: only after the next event. May be early, never
  /// late.
  [[nodiscard]] std::optional<MonotonicTime> next_decision() const;

  /// Evicts the idle entry that is worth least, among the keys that `may` lose one, whatever the budget.
  [[nodiscard]] std::optional<Key> evict_least(MonotonicTime now, const std::function<bool(Key)>& may);
  /// When the next idle entry of the key ends by its plan. Nothing: none is idle, or it is kept until memory
  /// is short, or for keep_at_least(). Not for the hot path.
  [[nodiscard]] std::optional<MonotonicTime> ends(Key key, MonotonicTime now);

  [[nodiscard]] std::uint64_t budget() const { return options_.budget; }
  [[nodiscard]] std::uint64_t bytes_each(Key key) const;
  void set_budget(std::uint64_t bytes) { options_.budget = bytes; }
  [[nodiscard]] std::uint64_t bytes_held() const { return held_; }
  [[nodiscard]] std::uint32_t idle(Key key) const;
  [[nodiscard]] std::uint32_t busy(Key key) const;

 private:
  struct Level;
  struct Habit;
  struct Group;
  struct Due {
    MonotonicTime when;
    Key key;
    std::uint32_t generation;  ///< of the group: a key may be removed and added again
    std::uint32_t level;
    bool operator>(const Due& other) const { return when > other.when; }
  };

  Group& group(Key key);
  Level& level(Group& group, std::uint32_t number);
  Habit& habit(Group& group, std::uint32_t number);
  const KeepPlan& plan(Group& group, std::uint32_t number);
  void watch(Key key, Group& group, std::uint32_t number, MonotonicTime when);
  void on_due(const Due& due, MonotonicTime now, std::vector<Action>& actions);
  void begin_idle_time(Key key, Group& group, std::uint32_t number, MonotonicTime now);
  void count_reached(Group& group, std::uint32_t number, std::size_t bin, MonotonicTime now);
  void idle_time_ended(Group& group, std::uint32_t number, MonotonicTime now);
  void trim(Key key, Group& group, std::vector<Action>& actions);
  void evict_one(Key key, Group& group, std::vector<Action>& actions);
  [[nodiscard]] double worth(Group& group, std::uint32_t number, MonotonicTime now);
  void rank(Key key, Group& group, MonotonicTime now);
  void unrank(Key key, Group& group);
  [[nodiscard]] static bool may_lose_one(const Group& group);
  void is_worth(Key key, Group& group, double factor);
  [[nodiscard]] bool room_for(Group& group, double worth) const;

  KeepAliveOptions options_;
  std::uint64_t held_ = 0;
  std::uint32_t generations_ = 0;
  std::unordered_map<Key, std::unique_ptr<Group>> groups_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::set<std::pair<double, Key>> ranked_;  ///< groups with idle entries, by the worth of their next victim
  LifeTable everyone_;                       ///< idle times of all keys: what a new key is measured by
};

}  // namespace mayfly::pool
