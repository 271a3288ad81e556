#include "pool/version_group.h"

#include <algorithm>

#include "pool/failure.h"

namespace mayfly::pool {
namespace {

/// A template, and the instances that are made ahead of demand.
constexpr std::uint64_t kBesides = 3;
/// Grows by so many instances at a time.
constexpr std::uint64_t kStep = 4;
/// What the kernel itself needs for one (page tables, sockets) counts, too.
constexpr std::uint64_t kOverhead = 8U << 20U;
/// So that the template can fork when instances have all the processes that they may have.
constexpr std::uint64_t kSpareProcesses = 32;
/// Without a group: so many instances may have all their processes at once …
constexpr std::uint64_t kFullInstances = 4;
/// … and each has room for what a runtime needs.
constexpr std::uint64_t kUsualProcesses = 16;

}  // namespace

VersionGroup::VersionGroup(sandbox::Cgroups* groups, DeadlineWheel& wheel, const registry::Version& version)
    : groups_(groups), version_(version), hold_back_(wheel, [this](bool held_back) {
        if (group_) note(group_->hold_back_cpu(held_back));
      }) {}

void VersionGroup::note_end(const Error& why) {
  if (why.code == PoolErrc::out_of_memory || why.code == PoolErrc::too_many_processes)
    hold_back_.note_excess(std::chrono::steady_clock::now());
}

void VersionGroup::note(const Result<void>& done) {
  if (!done && problem_.empty()) problem_ = done.error().message;
}

void VersionGroup::make() {
  auto made = groups_->make(version_.address());
  if (!made) return note(propagate(made));
  group_ = std::move(*made);
  if (version_.config.cpu) note(group_->limit_cpu(*version_.config.cpu));
  slots_ = 0;
  fit(0);
}

std::vector<Fd> VersionGroup::joins() {
  if (!group_ && groups_ != nullptr) make();
  if (!group_) return {};
  auto joins = group_->joins();
  if (joins) return std::move(*joins);
  note(propagate(joins));
  return {};
}

void VersionGroup::fit(std::uint64_t instances) {
  if (!group_) return;
  const auto needed = instances + kBesides;
  const auto& config = version_.config;
  const auto each = config.memory + config.tmp + kOverhead;
  if (needed <= slots_) {
    // Less than is used would make this thread wait for the kernel, which would look for pages to give back.
    if (needed * 2 > slots_ || group_->usage().memory.value_or(0) > needed * each) return;
    slots_ = needed;
  } else {
    slots_ = slots_ == 0 ? needed : needed + kStep;
  }
  memory_limit_ = slots_ * each;
  note(group_->limit_memory(memory_limit_));
  note(group_->limit_processes(slots_ * static_cast<std::uint64_t>(config.processes) + kSpareProcesses));
}

std::uint64_t VersionGroup::processes_without_group() const {
  if (group_ && group_->has(sandbox::CgroupPart::processes)) return 0;
  const auto& config = version_.config;
  const auto instances = static_cast<std::uint64_t>(config.max_instances);
  const auto full = std::min(instances, kFullInstances);
  return full * static_cast<std::uint64_t>(config.processes) + instances * kUsualProcesses + kSpareProcesses;
}

bool VersionGroup::take_memory_kill() {
  if (!group_ || group_->memory_kills() <= kills_explained_) return false;
  ++kills_explained_;
  return true;
}

}  // namespace mayfly::pool
