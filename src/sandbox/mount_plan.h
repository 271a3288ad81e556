// What a confined command sees of the file system: planned by the daemon, mounted by the command's init.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sandbox/confined.h"

namespace mayfly::sandbox {

/// The whole host read-only, some of it covered, some of what is covered put back, some writable.
class MountPlan {
 public:
  /// `other_user`: the command is another user than the daemon's, and cannot enter what only that one can.
  [[nodiscard]] static MountPlan make(const ConfinedCommand& command, bool other_user);

  /// In the new process, alone in its mount namespace and with all rights there. Both are async-signal-safe
  /// and return the name of the step that failed (errno is set), or null.
  ///
  /// Takes hold of what will be shown; as the daemon's user, who can enter everything on the way.
  [[nodiscard]] const char* clone_trees() noexcept;
  /// Mounts, and makes that the process's root; as the command's user, the only one that is known in its user
  /// namespace. `own_proc` says whether /proc could be made its own, too.
  [[nodiscard]] const char* apply(bool& own_proc) noexcept;

 private:
  enum class Kind { hide, read_only, writable, temporary };
  struct Step {
    std::string path;
    Kind kind;
    bool folder = true;
    Fd tree{};  ///< in the child alone: the mount that will stand there; ends with its exec
  };

  void add(const std::filesystem::path& path, Kind kind);
  void hide_closed_ancestors();
  [[nodiscard]] const char* enter_root() noexcept;
  [[nodiscard]] const char* mount_step(const Step& step) noexcept;

  std::vector<Step> steps_;  ///< outer ones first
  std::string temporary_options_;
};

}  // namespace mayfly::sandbox
