// The root folder of a box: a small tmpfs with what of the host a function needs, read-only (pivot_root(2)).
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "sandbox/box.h"

namespace mayfly::sandbox {

/// Both steps run in the new process and return the name of what failed (errno is set), or null.
class RootFolder {
 public:
  explicit RootFolder(const Box& box) : box_(box) {}

  /// First, with the daemon's rights, which reach everything that is to be shown: takes hold of it, and of a
  /// /proc for the process's PID namespace.
  [[nodiscard]] const char* take_hold() noexcept;
  /// Then, alone in a mount namespace, with all rights over that: builds the folder and makes it the root.
  /// Nothing of the old one can be reached afterwards.
  [[nodiscard]] const char* enter() noexcept;

 private:
  [[nodiscard]] const char* attach(const Fd& tree, const std::string& path) const noexcept;
  [[nodiscard]] const char* take_covers() noexcept;
  [[nodiscard]] const char* cover() noexcept;
  [[nodiscard]] const char* make_files() noexcept;
  [[nodiscard]] const char* make_links() noexcept;

  struct Tree {
    std::string path;  // inside
    Fd mount;
    bool folder = true;
  };
  const Box& box_;
  std::vector<Tree> trees_;
  std::vector<Tree> covers_;  // over what /proc tells of the whole machine
  Fd proc_;
  Fd root_;
};

}  // namespace mayfly::sandbox
