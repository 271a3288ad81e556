#include "pool/limit_watch.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "pool/failure.h"

namespace mayfly::pool {

std::optional<Error> over_limit(const LimitSample& sample, const InstanceUsage& usage) {
  if (usage.memory > sample.memory) return memory_error(sample.memory, usage.memory);
  if (usage.processes > sample.processes) return processes_error(sample.processes, usage.processes);
  return std::nullopt;
}

void LimitWatch::wake(nanoseconds pause) {
  if (!measuring_ && !pending()) wheel_.add(*this, std::chrono::steady_clock::now() + pause);
}

void LimitWatch::on_deadline() {
  struct Turn {
    std::vector<LimitSample> samples;
    std::vector<std::pair<std::weak_ptr<Limited>, Error>> over;
    nanoseconds took{0};
  };
  auto turn = std::make_shared<Turn>();
  std::erase_if(pools_, [&](LimitedPool* pool) { return !pool->sample(turn->samples); });
  auto& samples = turn->samples;
  if (samples.size() > kMost) {
    turn_ = (turn_ + kMost) % samples.size();
    std::ranges::rotate(samples, samples.begin() + static_cast<std::ptrdiff_t>(turn_));
    samples.resize(kMost);
  }
  if (samples.empty()) {
    if (!pools_.empty()) wake(kInterval);
    return;
  }
  measuring_ = true;
  const auto work = [turn, measure = options_.measure, end_below = options_.end_descendants] {
    const auto began = std::chrono::steady_clock::now();
    for (const auto& sample : turn->samples) {
      const auto usage = measure(sample.pid, sample.processes);
      auto error = over_limit(sample, usage);
      if (!error) continue;
      if (error->code == PoolErrc::too_many_processes) end_below(sample.pid);
      turn->over.emplace_back(sample.instance, std::move(*error));
    }
    turn->took = std::chrono::steady_clock::now() - began;
  };
  options_.elsewhere(work, [alive = alive_, this, turn] {
    if (!*alive) return;
    measuring_ = false;
    for (const auto& [weak, error] : turn->over)
      if (const auto instance = weak.lock()) instance->end_because(error);
    if (!pools_.empty()) wake(std::max<nanoseconds>(kInterval, turn->took * kPause));
  });
}

}  // namespace mayfly::pool
