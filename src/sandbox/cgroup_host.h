// Which control groups this process is in, and where their files are.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::sandbox {

/// One tree of groups, and this process's place in it. A host has one of version 2, or several of version 1
/// with some controllers each, or both (hybrid: version 2 then often has no controller).
struct CgroupHierarchy {
  std::filesystem::path own;  ///< the folder of the group that this process is in
  bool unified = false;       ///< version 2
  /// Of version 1: as it is mounted. Of version 2: empty; `cgroup.controllers` in the folder says.
  std::vector<std::string> controllers;
};

/// Those that are mounted where this process can see its own group. From the texts of /proc/self/mountinfo
/// (proc_pid_mountinfo(5)) and /proc/self/cgroup (cgroups(7)).
[[nodiscard]] std::vector<CgroupHierarchy> find_cgroups(std::string_view mountinfo, std::string_view cgroup);

/// The same, of the running process.
[[nodiscard]] std::vector<CgroupHierarchy> find_own_cgroups();

}  // namespace mayfly::sandbox
