// The control group of a pool's processes: how much they may use together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline_wheel.h"
#include "pool/hold_back.h"
#include "registry/function.h"
#include "sandbox/cgroups.h"

namespace mayfly::pool {

/// `memory`, `processes` and `tmp` are per instance, and a group for each would cost more than a fork. So the
/// group of a version holds as much as all of them may use, and moves with their number: the kernel stops
/// what would take the machine down at once. Which instance it is that takes the others' part is found by
/// LimitWatch.
///
/// Belongs to one shard's thread. Without control groups on this host it does nothing.
class VersionGroup {
 public:
  /// `groups` may be null, and outlives this, as the wheel does.
  VersionGroup(sandbox::Cgroups* groups, DeadlineWheel& wheel, const registry::Version& version);

  /// Descriptors by which a process that was just forked joins, with what it will fork (Cgroup::joins()). The
  /// first call makes the group. What went wrong is in problem(), and then nothing is limited.
  [[nodiscard]] std::vector<Fd> joins();
  /// So many instances exist, those on their way out included.
  void fit(std::uint64_t instances);
  /// An instance has ended for this reason: if it was a limit of its own, again, the group is held back.
  void note_end(const Error& why);
  [[nodiscard]] bool held_back() const { return hold_back_.held_back(); }
  /// See InstanceOwner.
  [[nodiscard]] bool take_memory_kill();
  /// All processes and threads of the version where no group limits them; 0 where one does. Fixed before it
  /// is known how many instances there will be: fewer than all may have, so that a fork bomb ends near what
  /// one may have.
  [[nodiscard]] std::uint64_t processes_without_group() const;
  /// Whether the kernel keeps the version within memory_limit().
  [[nodiscard]] bool limits_memory() const { return group_ && group_->has(sandbox::CgroupPart::memory); }
  /// Null: there is none.
  [[nodiscard]] const sandbox::Cgroup* group() const { return group_.get(); }
  /// Bytes that all processes together may use now; 0: no limit.
  [[nodiscard]] std::uint64_t memory_limit() const { return memory_limit_; }
  /// Why there is no group, or less of one than the configuration wants; empty: all is well.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  void make();
  void note(const Result<void>& done);

  sandbox::Cgroups* groups_;
  const registry::Version& version_;
  std::unique_ptr<sandbox::Cgroup> group_;
  std::string problem_;
  std::uint64_t slots_ = 0;
  std::uint64_t memory_limit_ = 0;
  std::uint64_t kills_explained_ = 0;
  HoldBack hold_back_;
};

}  // namespace mayfly::pool
