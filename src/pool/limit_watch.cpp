#include "pool/limit_watch.h"

#include <algorithm>
#include <ctime>
#include <optional>

#include "base/text.h"
#include "pool/failure.h"

namespace mayfly::pool {
namespace {

/// Of this thread. Not the time that passes: while others have the processor that says nothing of the cost.
nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

}  // namespace

std::optional<Error> over_limit(const LimitSample& sample, const InstanceUsage& usage) {
  if (usage.memory > sample.memory) return memory_error(sample.memory, usage.memory);
  if (usage.processes > sample.processes) return processes_error(sample.processes, usage.processes);
  return std::nullopt;
}

/// What a look has shown.
struct LimitWatch::Found {
  LimitSample sample;
  InstanceUsage usage{};
  std::optional<Error> error{};  ///< nothing: it may go on
  nanoseconds took{0};

  void measure(const Options& options, std::uint64_t most_processes) {
    const auto began = cpu_time();
    usage = options.measure(sample.pid, most_processes);
    error = over_limit(sample, usage);
    took = cpu_time() - began;
  }
  void measure_exactly(const Options& options) {
    const auto began = cpu_time();
    measure(options, sample.processes);
    if (!error && usage.memory_most > sample.memory) {
      usage.memory = options.measure_memory(sample.pid, sample.processes);
      error = over_limit(sample, usage);
    }
    took = cpu_time() - began;
  }
  [[nodiscard]] bool is_large() const {
    return usage.processes > std::min(kFew, sample.processes) || usage.memory_most > sample.memory;
  }
};

void LimitWatch::wake(nanoseconds pause) {
  if (looking_ || (pending() && waits_for_ <= pause)) return;
  cancel();
  waits_for_ = pause;
  wheel_.add(*this, std::chrono::steady_clock::now() + pause);
}

void LimitWatch::wake_again(nanoseconds pause) {
  if (!pools_.empty() || std::ranges::any_of(large_, [](const auto& one) { return one.second.has_worked; }))
    wake(pause);
  else if (!guarded_.empty())
    wake(kIdleInterval);
}

void LimitWatch::on_deadline() {
  since_idle_ += waits_for_;
  std::erase_if(large_, [](const auto& one) { return one.second.sample.instance.expired(); });
  for (auto& [instance, large] : large_)
    if (large.pause > 0) --large.pause;
  auto those = samples();
  look_at_a_large_one();
  if (!those.empty()) return look(std::move(those));
  wake_again(kInterval);
}

bool LimitWatch::idle_ones_are_due() {
  if (since_idle_ < kIdleInterval) return false;
  since_idle_ = nanoseconds(0);
  return true;
}

/// What is to be looked at in this turn. Large ones have turns of their own.
std::vector<LimitSample> LimitWatch::samples() {
  std::vector<LimitSample> samples;
  const auto ask = [&](std::unordered_set<LimitedPool*>& pools, auto how) {
    std::erase_if(pools, [&](LimitedPool* pool) {
      const auto before = samples.size();
      const bool again = (pool->*how)(samples);
      for (auto i = before; i < samples.size(); ++i) samples[i].pool = pool;
      return !again;
    });
  };
  ask(pools_, &LimitedPool::sample);
  if (idle_ones_are_due()) ask(guarded_, &LimitedPool::sample_idle);
  std::erase_if(samples, [&](const LimitSample& sample) {
    const auto large = large_.find(sample.instance.lock().get());
    if (large == large_.end()) return false;
    large->second.has_worked = true;
    return true;
  });
  if (samples.size() > kMost) {
    turn_ = (turn_ + kMost) % samples.size();
    std::ranges::rotate(samples, samples.begin() + static_cast<std::ptrdiff_t>(turn_));
    samples.resize(kMost);
  }
  return samples;
}

void LimitWatch::look(std::vector<LimitSample> samples) {
  struct Turn {
    std::vector<LimitSample> samples;
    std::vector<Found> found;
    nanoseconds took{0};
  };
  auto turn = std::make_shared<Turn>();
  turn->samples = std::move(samples);
  looking_ = true;
  const auto work = [turn, options = options_] {
    for (const auto& sample : turn->samples) {
      Found found{sample};
      const auto few = std::min(kFew, sample.processes);
      found.measure(options, few);
      turn->took += found.took;
      if (found.error || found.is_large()) turn->found.push_back(std::move(found));
    }
  };
  options_.elsewhere(Lane::looks, work, [alive = alive_, this, turn] {
    if (!*alive) return;
    looking_ = false;
    for (const auto& found : turn->found) on_found(found);
    wake_again(std::max<nanoseconds>(kInterval, turn->took * kPause));
  });
}

/// One at a time, of the function whose turn was longest ago.
void LimitWatch::look_at_a_large_one() {
  if (looking_at_large_) return;
  Large* next = nullptr;
  std::uint64_t since = UINT64_MAX;
  for (auto& [instance, large] : large_) {
    if (!large.has_worked || large.ending || large.pause > 0) continue;
    const auto served = served_.find(large.sample.pool);
    const auto when = served == served_.end() ? 0 : served->second;
    if (when >= since) continue;
    since = when;
    next = &large;
  }
  if (next == nullptr) return;
  next->has_worked = false;
  served_[next->sample.pool] = ++large_looks_;
  looking_at_large_ = true;
  auto found = std::make_shared<Found>(Found{next->sample});
  const auto work = [found, options = options_] { found->measure_exactly(options); };
  options_.elsewhere(Lane::large_ones, work, [alive = alive_, this, found] {
    if (*alive) on_looked_at_large(*found);
  });
}

void LimitWatch::on_looked_at_large(const Found& found) {
  looking_at_large_ = false;
  const auto large = large_.find(found.sample.instance.lock().get());
  if (large != large_.end()) {
    large->second.pause =
        static_cast<unsigned>(std::max<nanoseconds>(found.took * kPause, kInterval) / kInterval);
    if (found.error)
      on_found(found);
    else if (!found.is_large())
      large_.erase(large);
  }
  look_at_a_large_one();
}

void LimitWatch::on_found(const Found& found) {
  const auto instance = found.sample.instance.lock();
  if (!instance) return;
  if (!found.error) {
    large_.try_emplace(instance.get(), Large{found.sample});
  } else if (found.error->code == PoolErrc::too_many_processes) {
    end_with_descendants(instance, found);
  } else {
    large_.erase(instance.get());
    instance->end_because(*found.error);
  }
}

/// It is not looked at any more meanwhile.
void LimitWatch::end_with_descendants(const std::shared_ptr<Limited>& instance, const Found& found) {
  auto& large = large_.try_emplace(instance.get(), Large{found.sample}).first->second;
  if (std::exchange(large.ending, true)) return;
  large.has_worked = false;
  instance->note_excess(*found.error);
  const auto process = std::make_shared<Fd>(instance->process());
  const auto work = [process, end_below = options_.end_descendants] { end_below(process->get()); };
  options_.elsewhere(Lane::ends, work,
                     [alive = alive_, this, weak = found.sample.instance, why = *found.error] {
                       if (!*alive) return;
                       const auto its = weak.lock();
                       if (!its) return;
                       large_.erase(its.get());
                       its->end_because(why);
                     });
}

}  // namespace mayfly::pool
