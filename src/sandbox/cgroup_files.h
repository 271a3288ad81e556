// The file system of control groups, as far as it is used: reached through an interface, so that tests have a
// tree of their own.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace mayfly::sandbox {

/// Paths are absolute. Errors have the errno of the system call. Any thread.
class CgroupFiles {
 public:
  virtual ~CgroupFiles() = default;
  /// It may be there already.
  [[nodiscard]] virtual Result<void> make_group(const std::filesystem::path& group) const = 0;
  /// EBUSY while a process or another group is in it.
  [[nodiscard]] virtual Result<void> remove_group(const std::filesystem::path& group) const = 0;
  [[nodiscard]] virtual Result<std::string> read(const std::filesystem::path& file) const = 0;
  [[nodiscard]] virtual Result<void> write(const std::filesystem::path& file,
                                           std::string_view text) const = 0;
  /// For writing, by whoever gets the descriptor.
  [[nodiscard]] virtual Result<Fd> open(const std::filesystem::path& file) const = 0;
  /// Names of the groups below one; empty if it cannot be read.
  [[nodiscard]] virtual std::vector<std::string> groups(const std::filesystem::path& group) const = 0;
  /// Marks a group as in use for as long as the descriptor is open. EWOULDBLOCK: it is in use.
  [[nodiscard]] virtual Result<Fd> lock(const std::filesystem::path& group) const = 0;
};

/// The host's.
[[nodiscard]] const CgroupFiles& host_cgroup_files();

}  // namespace mayfly::sandbox
