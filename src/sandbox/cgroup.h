// A control group for the processes of one version: limits, what was used, and the end of all in it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "sandbox/cgroup_files.h"

namespace mayfly::sandbox {

/// What groups are for. A host may give some of it, from trees of either version.
enum class CgroupPart : std::uint8_t {
  memory,
  cpu,        ///< share and ceiling
  processes,  ///< and threads
  control,    ///< freezing and killing
  cpu_time    ///< what was used
};
inline constexpr std::size_t kCgroupParts = 5;
[[nodiscard]] std::string_view name_of(CgroupPart part);

/// The folder of a group in one tree.
struct CgroupPlace {
  std::filesystem::path folder;
  bool unified = false;  ///< of version 2
};
using CgroupPlaces = std::array<std::optional<CgroupPlace>, kCgroupParts>;

/// Each folder once.
[[nodiscard]] std::vector<CgroupPlace> distinct(const CgroupPlaces& places);

/// Bytes, nanoseconds, counts since the group was made; nothing where the host does not tell.
struct CgroupUsage {
  std::optional<std::uint64_t> memory;
  std::optional<std::uint64_t> memory_peak;
  std::optional<std::uint64_t> cpu_ns;
  std::optional<std::uint64_t> processes;
  std::optional<std::uint64_t> throttled;  ///< tenths of a second in which it met the ceiling of limit_cpu()
};

/// Made by Cgroups (cgroups.h), and given back to it by the destructor, which kills what is in the group.
/// What is there of a host's trees is limited; a limit in a part that is missing does nothing. Reading and
/// killing: any thread; the rest: one at a time. Calls take some ten microseconds each.
class Cgroup {
 public:
  /// Who gives back a group: it is removed when its last process has gone.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void retire(const std::string& name) = 0;
  };
  Cgroup(const CgroupFiles& files, std::string name, CgroupPlaces places, std::shared_ptr<Owner> owner);
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  /// A descriptor for each tree: a process of one thread that writes "0" to all of them is in the group, and
  /// so are those that it forks afterwards. At most one for each part.
  [[nodiscard]] Result<std::vector<Fd>> joins() const;
  [[nodiscard]] bool has(CgroupPart part) const { return place(part).has_value(); }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// All of it together, swap included. The kernel ends a process when it is exceeded. May be below what is
  /// used: then this may take long, and kill.
  [[nodiscard]] Result<void> limit_memory(std::uint64_t bytes);
  /// Cores that it may use on the average of a tenth of a second; 0: all.
  [[nodiscard]] Result<void> limit_cpu(double cores);
  /// Beside other groups of this daemon, when there is not enough for all: 1 … 10000, 100 is usual.
  [[nodiscard]] Result<void> weigh_cpu(unsigned weight);
  /// Until it is taken back, other groups of this daemon go before it whenever they want the processor
  /// (cpu.idle; before Linux 5.15, the least weight). Taking it back gives the usual weight.
  [[nodiscard]] Result<void> hold_back_cpu(bool held_back);
  /// Processes and threads; one more cannot be made (EAGAIN).
  [[nodiscard]] Result<void> limit_processes(std::uint64_t most);
  /// Stops all of it from running, and lets it go on.
  [[nodiscard]] Result<void> freeze(bool frozen);

  [[nodiscard]] CgroupUsage usage() const;
  /// Processes that the kernel has killed because the memory limit was reached; 0 where it does not count.
  [[nodiscard]] std::uint64_t memory_kills() const;
  /// How often a process or thread could not be made because of limit_processes().
  [[nodiscard]] std::uint64_t process_refusals() const;
  /// Ends every process in it, also those that are just being forked.
  void kill_all() const;

 private:
  [[nodiscard]] const std::optional<CgroupPlace>& place(CgroupPart part) const {
    return places_[static_cast<std::size_t>(part)];
  }

  const CgroupFiles& files_;
  std::string name_;
  CgroupPlaces places_;
  std::shared_ptr<Owner> owner_;
  std::uint64_t memory_limit_ = UINT64_MAX;
};

/// As Cgroup::kill_all(), of whatever is in one folder.
void kill_group_members(const CgroupFiles& files, const CgroupPlace& control);

}  // namespace mayfly::sandbox
