// A box: all that a process enters before it runs code of a stranger. Planned by the daemon (box_plan.h),
// sent with the request for a fork, entered by the child (enter.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::sandbox {

/// What the descriptors of a box are for; they travel in the order of Box::descriptors.
enum class BoxDescriptor : std::uint8_t {
  filter = 1,  ///< a file with the program of a seccomp filter (syscall_filter.h)
  temporary,   ///< a detached tmpfs, its /tmp (temporary.h)
  network,     ///< a network namespace
  cgroup,      ///< of Cgroup::joins(): joined by writing "0"; there may be several
};

/// Where the network of a box comes from.
enum class BoxNetwork : std::uint8_t {
  own,    ///< a namespace with a loopback and nothing else
  given,  ///< the descriptor `network`
  host,   ///< the daemon's
};

struct Box {
  /// The user and group inside, whoever they are outside: no name of the host's fits.
  static constexpr uid_t kUserInside = 1000;
  static constexpr std::size_t kMaxDescriptors = 16;

  struct Text {
    std::string path;
    std::string content;
  };
  /// A file or folder of the host, read-only.
  struct Shown {
    std::string path;  ///< of the host, absolute
    std::string at;    ///< inside, absolute
  };

  /// In namespaces of its own (user, PID, mount, IPC, UTS, cgroup), with a root of its own. False where the
  /// host has none for us: then only what needs none is done.
  bool namespaces = true;
  bool forks = false;  ///< it is a template, whose forks call enter_as_instance(); false: it serves itself
  uid_t user = 0;      ///< as the daemon's user namespace knows it; its group has the same number
  std::string hostname;
  BoxNetwork network = BoxNetwork::own;
  std::vector<Shown> visible;       ///< none lies inside another
  std::vector<std::string> copied;  ///< small files of the host; what is not there is left out
  std::vector<Text> links;          ///< symbolic links: path and target
  std::vector<Text> files;          ///< small files that are made
  std::uint64_t open_files = 1024;  ///< RLIMIT_NOFILE
  /// Processes and threads of the template and all its forks together (RLIMIT_NPROC, which the kernel counts
  /// for each user namespace since Linux 5.14); 0, or without namespaces: no limit but the group's.
  std::uint64_t processes = 0;
  std::vector<BoxDescriptor> descriptors;
};

/// For a control message; under 64 KiB for any box that a plan makes.
[[nodiscard]] std::string encode(const Box& box);
/// Nothing if that is not what encode() makes.
[[nodiscard]] std::optional<Box> decode_box(std::string_view text);

}  // namespace mayfly::sandbox
