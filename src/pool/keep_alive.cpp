#include "pool/keep_alive.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace mayfly::pool {
namespace {

constexpr double kGiB = 1ULL << 30;
constexpr std::uint64_t kPlanEvery = 16;

double seconds_between(MonotonicTime from, MonotonicTime to) {
  return std::chrono::duration<double>(to - from).count();
}

MonotonicTime after_seconds(MonotonicTime from, double seconds) {
  // A tick more, so that the age is inside the bin and not on its edge after rounding.
  return from + std::chrono::duration_cast<MonotonicTime::duration>(std::chrono::duration<double>(seconds)) +
         MonotonicTime::duration(1);
}

/// Levels that share what is learned: 1, 2, 3, 4, 5, 6, 7, 8-9, 10-11, 12-13, 14-15, 16-19, … (four per
/// octave).
std::size_t habit_of(std::uint32_t level) {
  if (level < 8) return level - 1;
  const auto octave = static_cast<std::uint32_t>(std::bit_width(level)) - 1;
  return 7 + (octave - 3) * 4 + ((level >> (octave - 2)) & 3);
}

}  // namespace

/// The k-th simultaneous entry of a key: since when fewer than k have been busy.
struct KeepAlive::Level {
  MonotonicTime since{};
  std::size_t bin = 0;    ///< bins of this idle time already counted
  bool was_used = false;  ///< `since` means something
  bool wanted = false;    ///< idle, and the plan says keep
  bool watched = false;   ///< one Due is in the queue
};

/// What is known about some levels of a key, and the plan that follows from it.
struct KeepAlive::Habit {
  LifeTable idle_times;
  KeepPlan plan;
  std::uint64_t lessons = 0;      ///< idle times that ended
  std::uint64_t next_lesson = 0;  ///< the plan is made anew when there are so many
};

struct KeepAlive::Group {
  EntryKind kind;
  std::uint32_t generation = 0;
  std::uint32_t idle = 0, busy = 0;
  std::uint32_t wanted = 0;   ///< levels above `busy` that their plans want warm
  std::uint32_t pending = 0;  ///< prewarms asked for
  bool is_ranked = false;
  double rank = 0;
  LifeTable idle_times;                        ///< of all levels
  std::vector<Level> levels;                   ///< level k at k - 1
  std::vector<std::unique_ptr<Habit>> habits;  ///< by habit_of
};

KeepAlive::KeepAlive(KeepAliveOptions options) : options_(options) {}
KeepAlive::~KeepAlive() = default;
KeepAlive::KeepAlive(KeepAlive&&) noexcept = default;
KeepAlive& KeepAlive::operator=(KeepAlive&&) noexcept = default;

void KeepAlive::add(Key key, EntryKind kind) {
  auto fresh = std::make_unique<Group>();
  fresh->kind = kind;
  fresh->generation = ++generations_;
  const bool is_new = groups_.emplace(key, std::move(fresh)).second;
  assert(is_new);
  (void)is_new;
}

void KeepAlive::remove(Key key) {
  const auto found = groups_.find(key);
  if (found == groups_.end()) return;
  Group& g = *found->second;
  held_ -= (g.idle + g.busy) * g.kind.bytes;
  unrank(key, g);
  groups_.erase(found);  // what is left in due_ is recognised by its generation
}

bool KeepAlive::contains(Key key) const { return groups_.contains(key); }
std::uint32_t KeepAlive::idle(Key key) const { return groups_.at(key)->idle; }
std::uint32_t KeepAlive::busy(Key key) const { return groups_.at(key)->busy; }
std::uint64_t KeepAlive::bytes_each(Key key) const { return groups_.at(key)->kind.bytes; }
KeepAlive::Group& KeepAlive::group(Key key) { return *groups_.at(key); }

KeepAlive::Level& KeepAlive::level(Group& group, std::uint32_t number) {
  if (group.levels.size() < number) group.levels.resize(number);
  return group.levels[number - 1];
}

void KeepAlive::measured(Key key, std::uint64_t bytes) {
  Group& g = group(key);
  const auto entries = g.idle + g.busy;
  held_ += entries * bytes - entries * g.kind.bytes;
  is_worth(key, g,
           static_cast<double>(std::max<std::uint64_t>(g.kind.bytes, 1)) /
               static_cast<double>(std::max<std::uint64_t>(bytes, 1)));
  g.kind.bytes = bytes;
}

void KeepAlive::start_took(Key key, double start_ms) {
  Group& g = group(key);
  is_worth(key, g, start_ms / g.kind.start_ms);
  g.kind.start_ms = start_ms;
}

/// An entry costs or saves so much more now: its plans are made anew, and its rank follows.
void KeepAlive::is_worth(Key key, Group& g, double factor) {
  for (auto& habit : g.habits)
    if (habit) habit->next_lesson = 0;
  if (!g.is_ranked) return;
  unrank(key, g);
  g.rank *= factor;
  g.is_ranked = true;
  ranked_.emplace(g.rank, key);
}

void KeepAlive::keep_at_least(Key key, std::uint32_t entries) { group(key).kind.at_least = entries; }

// ---- events -------------------------------------------------------------------------------------------

void KeepAlive::started(Key key, MonotonicTime now) {
  Group& g = group(key);
  ++g.idle;
  held_ += g.kind.bytes;
  if (g.pending > 0) --g.pending;
  // The first of its level has no idle time that could go on: it begins here (a template made by a deploy).
  const auto number = g.idle + g.busy;
  if (!level(g, number).was_used) begin_idle_time(key, g, number, now);
  if (!g.is_ranked) rank(key, g, now);
}

void KeepAlive::prewarm_failed(Key key) {
  Group& g = group(key);
  if (g.pending > 0) --g.pending;
}

void KeepAlive::taken(Key key, MonotonicTime now) {
  Group& g = group(key);
  assert(g.idle > 0);
  --g.idle;
  ++g.busy;
  Level& l = level(g, g.busy);
  if (l.wanted) {
    l.wanted = false;
    --g.wanted;
  }
  if (l.was_used && now - l.since >= std::chrono::seconds(1)) idle_time_ended(g, g.busy, now);
}

void KeepAlive::returned(Key key, MonotonicTime now) {
  Group& g = group(key);
  assert(g.busy > 0);
  begin_idle_time(key, g, g.busy, now);
  --g.busy;
  ++g.idle;
  if (!g.is_ranked) rank(key, g, now);
}

void KeepAlive::lost(Key key, bool was_busy, MonotonicTime now) {
  if (was_busy) returned(key, now);  // the demand is over all the same: its idle time begins
  Group& g = group(key);
  assert(g.idle > 0);
  --g.idle;
  held_ -= g.kind.bytes;
}

/// A level is idle from now on, and warm.
void KeepAlive::begin_idle_time(Key key, Group& g, std::uint32_t number, MonotonicTime now) {
  Level& l = level(g, number);
  l.since = now;
  l.bin = 0;
  l.was_used = true;
  if (!l.wanted) ++g.wanted;
  l.wanted = true;
  if (!l.watched) watch(key, g, number, after_seconds(now, IdleBins::begin(1)));
}

/// Count in all three tables that a level's idle time has reached `bin`.
void KeepAlive::count_reached(Group& g, std::uint32_t number, std::size_t bin, MonotonicTime now) {
  Level& l = level(g, number);
  for (LifeTable* table : {&habit(g, number).idle_times, &g.idle_times, &everyone_}) {
    table->fade(now);
    for (auto passed = l.bin + 1; passed <= bin; ++passed) table->reached(passed);
  }
  l.bin = std::max(l.bin, bin);
}

/// Learn from an idle time of at least a second that has just ended.
void KeepAlive::idle_time_ended(Group& g, std::uint32_t number, MonotonicTime now) {
  const auto bin = IdleBins::at(seconds_between(level(g, number).since, now));
  count_reached(g, number, bin, now);
  Habit& own = habit(g, number);
  for (LifeTable* table : {&own.idle_times, &g.idle_times, &everyone_}) table->ended(bin);
  ++own.lessons;
}

// ---- plans --------------------------------------------------------------------------------------------

KeepAlive::Habit& KeepAlive::habit(Group& g, std::uint32_t number) {
  const auto index = habit_of(number);
  if (g.habits.size() <= index) g.habits.resize(index + 1);
  if (!g.habits[index]) g.habits[index] = std::make_unique<Habit>();
  return *g.habits[index];
}

const KeepPlan& KeepAlive::plan(Group& g, std::uint32_t number) {
  Habit& own = habit(g, number);
  if (own.lessons >= own.next_lesson) {
    Hazard of_everyone, of_group, of_level;
    everyone_.hazard(hazard_of_the_unknown(), of_everyone);
    g.idle_times.hazard(of_everyone, of_group);
    own.idle_times.hazard(of_group, of_level);
    const double gib = static_cast<double>(g.kind.bytes) / kGiB;
    make_plan(of_level, options_.price_ms_per_gib_second * gib / g.kind.start_ms, options_.prewarm_cost,
              own.plan);
    own.next_lesson = own.lessons + 1 + own.lessons / kPlanEvery;  // the hundredth idle time changes little
  }
  return own.plan;
}

void KeepAlive::watch(Key key, Group& g, std::uint32_t number, MonotonicTime when) {
  level(g, number).watched = true;
  due_.push({when, key, g.generation, number});
}

/// One level has been idle until the end of a bin: count it, and ask the plan about the next.
void KeepAlive::on_due(const Due& due, MonotonicTime now, std::vector<Action>& actions) {
  const auto found = groups_.find(due.key);
  if (found == groups_.end() || found->second->generation != due.generation) return;
  Group& g = *found->second;
  Level& l = level(g, due.level);
  l.watched = false;
  if (due.level <= g.busy) return;
  const auto bin = IdleBins::at(seconds_between(l.since, now));
  if (bin + 1 < IdleBins::count)
    watch(due.key, g, due.level, after_seconds(l.since, IdleBins::begin(bin + 1)));
  if (bin == l.bin) return;  // it was used since the watch was set

  count_reached(g, due.level, bin, now);
  const bool keep = plan(g, due.level).keep[bin];
  if (keep != l.wanted) {
    l.wanted = keep;
    g.wanted += keep ? 1 : -1;
    if (keep && g.idle + g.pending < g.wanted && room_for(g, worth(g, due.level, now))) {
      ++g.pending;
      actions.push_back({Action::Kind::prewarm, due.key});
    }
  }
  trim(due.key, g, actions);
  if (g.idle > 0) rank(due.key, g, now);
}

// ---- evictions ----------------------------------------------------------------------------------------

void KeepAlive::evict_one(Key key, Group& g, std::vector<Action>& actions) {
  --g.idle;
  held_ -= g.kind.bytes;
  actions.push_back({Action::Kind::evict, key});
}

void KeepAlive::trim(Key key, Group& g, std::vector<Action>& actions) {
  while (g.idle > g.wanted && may_lose_one(g)) evict_one(key, g, actions);
}

/// Milliseconds of starting that one GiB·s spent on this level's next idle time is expected to avoid.
double KeepAlive::worth(Group& g, std::uint32_t number, MonotonicTime now) {
  const Level& l = level(g, number);
  const auto bin = l.was_used ? IdleBins::at(seconds_between(l.since, now)) : 0;
  return plan(g, number).density[bin] * g.kind.start_ms /
         (static_cast<double>(std::max<std::uint64_t>(g.kind.bytes, 1)) / kGiB);
}

void KeepAlive::rank(Key key, Group& g, MonotonicTime now) {
  const double value = worth(g, std::max(1U, g.idle + g.busy), now);
  if (g.is_ranked && g.rank == value) return;
  unrank(key, g);
  g.rank = value;
  g.is_ranked = true;
  ranked_.emplace(value, key);
}

void KeepAlive::unrank(Key key, Group& g) {
  if (g.is_ranked) ranked_.erase({g.rank, key});
  g.is_ranked = false;
}

bool KeepAlive::room_for(Group& g, double value) const {
  if (held_ + g.kind.bytes <= options_.budget) return true;
  return !ranked_.empty() && ranked_.begin()->first < value;
}

/// Ranks are corrected when looked at: the hot path leaves them as they are.
std::optional<KeepAlive::Key> KeepAlive::evict_least(MonotonicTime now, const std::function<bool(Key)>& may) {
  for (auto next = ranked_.begin(); next != ranked_.end();) {
    const Key key = next->second;
    Group& g = group(key);
    if (!may_lose_one(g)) {
      next = ranked_.erase(next);
      g.is_ranked = false;
      continue;
    }
    if (!may(key)) {
      ++next;
      continue;
    }
    const double before = g.rank;
    rank(key, g, now);
    if (g.rank > before) {
      next = ranked_.begin();
      continue;
    }
    Level& top = level(g, g.idle + g.busy);
    if (top.wanted) {
      top.wanted = false;
      --g.wanted;
    }
    --g.idle;
    held_ -= g.kind.bytes;
    if (g.idle > 0) rank(key, g, now);
    return key;
  }
  return std::nullopt;
}

bool KeepAlive::may_lose_one(const Group& g) { return g.idle > 0 && g.idle + g.busy > g.kind.at_least; }

std::optional<MonotonicTime> KeepAlive::ends(Key key, MonotonicTime now) {
  Group& g = group(key);
  if (!may_lose_one(g)) return std::nullopt;
  const auto number = g.idle + g.busy;
  const Level& l = level(g, number);
  const KeepPlan& its = plan(g, number);
  for (auto bin = IdleBins::at(seconds_between(l.since, now)) + 1; bin < IdleBins::count; ++bin)
    if (!its.keep[bin]) return after_seconds(l.since, IdleBins::begin(bin));
  return std::nullopt;
}

std::vector<KeepAlive::Action> KeepAlive::decide(MonotonicTime now) {
  std::vector<Action> actions;
  while (!due_.empty() && due_.top().when <= now) {
    const Due due = due_.top();
    due_.pop();
    on_due(due, now, actions);
  }
  while (held_ > options_.budget) {
    const auto key = evict_least(now, [](Key) { return true; });
    if (!key) break;
    actions.push_back({Action::Kind::evict, *key});
  }
  return actions;
}

std::optional<MonotonicTime> KeepAlive::next_decision() const {
  if (due_.empty()) return std::nullopt;
  return due_.top().when;
}

}  // namespace mayfly::pool
