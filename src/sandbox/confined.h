// Commands that build: other people's code (install scripts, build files) runs in them, so they get what they
// need and nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/child.h"
#include "base/result.h"

namespace mayfly::sandbox {

/// Folders are absolute. Of two that lie inside each other the inner one counts, whatever list it is in.
struct ConfinedCommand {
  std::vector<std::string> argv;         ///< argv[0] without a '/' is looked up in PATH of `environment`
  std::vector<std::string> environment;  ///< "NAME=value"; all that the command gets
  std::filesystem::path folder;          ///< where it starts
  /// What it may write. All else of the host is read-only; /tmp, /var/tmp and /dev/shm are its own and empty.
  /// Afterwards these folders are the caller's again, with no setuid or setgid bit in them.
  std::vector<std::filesystem::path> writable{};
  /// Downloads that several commands share, also at once. Who has one runs as the one user that owns them
  /// all: so only a command that runs no code of what it downloads.
  std::vector<std::filesystem::path> caches{};
  /// What it may read although it lies below something hidden: a toolchain in somebody's home, say.
  std::vector<std::filesystem::path> visible{};
  /// Folders and files that are empty for it. So are always /root, /home, the daemon's home, /run (but for
  /// the name resolver's files) and, for a daemon of root, every folder on the way to one of those above that
  /// other users may not enter.
  std::vector<std::filesystem::path> hidden{};
  bool network = false;                      ///< the host's, or nothing but a loopback of its own
  std::chrono::milliseconds limit{300'000};  ///< then all of it is killed
  std::uint64_t max_memory = 0;              ///< bytes of data of each of its processes; 0: no limit
  std::uint64_t max_file = 4ULL << 30U;      ///< bytes of a file it writes
  /// Bytes that must stay free where `writable` and `caches` are (and 10,000 files): looked at twice a
  /// second, and when it is less all of it is killed. 0: it is not looked at.
  std::uint64_t min_free = 0;
  std::uint64_t max_temporary = 1ULL << 30U;  ///< bytes, each, in /tmp, /var/tmp and /dev/shm (memory)
  std::uint64_t max_processes = 2048;         ///< with all threads
  /// Joined before anything of it runs (Cgroup::joins()); the caller's.
  std::vector<int> groups{};
  /// Requests come before it. Not for one that takes milliseconds and that somebody waits for.
  bool background = true;
  std::stop_token stop{};  ///< ends it as the limit does
  /// Called on the calling thread with what it prints (stdout and stderr together), as it comes.
  std::function<void(std::string_view)> output{};
};

struct ConfinedResult {
  ExitStatus status;
  bool timed_out = false;
  bool disk_full = false;  ///< it was ended because of `min_free`
  std::string tail;        ///< the last 16 KiB of its output
  /// What this host did not allow to take from the command, in words for a log; empty where all is well.
  std::vector<std::string> degraded;
};

/// Runs a command to its end; blocks the calling thread, which must live on. Nothing of it outlives the call.
///
/// It is the child of an init of its own PID namespace, in mount, IPC and UTS namespaces, without `network`
/// in a network namespace too; without capabilities, unable to gain any (no_new_privs); with the filter of
/// system calls that functions have (syscall_filter.h), by which what is forbidden fails with EPERM. For a
/// daemon of root it is a user without a name and of its own (build_user.h); for any other daemon the
/// daemon's user. Where the host has no namespaces for us it runs without them, and the result says so.
///
/// An error: it could not be started; or, for root, there is no other user to be.
[[nodiscard]] Result<ConfinedResult> run_confined(const ConfinedCommand& command);

}  // namespace mayfly::sandbox
