// Child: the one owner of a child process, on a pidfd; and run(), a command from start to end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace mayfly {

/// The absolute path of a program; empty if PATH does not have it. A name with a '/' is a path already.
[[nodiscard]] std::string find_program(const std::string& name);

/// How a process ended.
struct ExitStatus {
  enum class How { exited, signalled };
  How how = How::exited;
  int value = 0;  ///< the exit code (0…255) or the number of the signal
  bool core_dumped = false;

  [[nodiscard]] bool success() const { return how == How::exited && value == 0; }
  /// For people: "exit code 3", "signal 9 (Killed)".
  [[nodiscard]] std::string text() const;
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

struct ChildOptions {
  std::vector<std::string> argv;  ///< never empty; argv[0] without a '/' is looked up in our PATH
  std::optional<std::vector<std::string>> environment{};  ///< "NAME=value"; unset: ours
  std::filesystem::path cwd{};                            ///< empty: ours
  struct Descriptor {
    int ours = -1;   ///< stays ours; need not outlive the call
    int number = 0;  ///< what it is in the child
  };
  /// What the child has open. 0, 1 and 2 are /dev/null unless named here; all others are closed.
  std::vector<Descriptor> descriptors{};
  /// The child leads a process group of its own: kill() reaches the whole group, and what the child
  /// leaves of it when it ends is killed.
  bool new_group = true;
  /// The kernel kills the child with SIGKILL when the *thread* that starts it ends (PR_SET_PDEATHSIG).
  bool die_with_parent = true;
};

/// A child process that does not outlive its owner: the destructor kills it and waits for its end.
/// Move-only; one thread at a time.
class Child {
 public:
  /// Starts a process, with all signals at their defaults. Returns when it executes argv[0] or could
  /// not: then the error is errno of the step that failed (chdir, dup2, execve), and nothing is left.
  [[nodiscard]] static Result<Child> start(const ChildOptions& options);

  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  /// Process id in our PID namespace; 0 when this owns no process. Only for logs and for /proc.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Readable as soon as the process has ended (pidfd_open(2)); lend it to an event loop as a duplicate.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(pidfd_); }
  /// Set once wait() or try_wait() has seen the end.
  [[nodiscard]] const std::optional<ExitStatus>& status() const noexcept { return status_; }

  /// Sends a signal to the process, or to its group if it has its own. Nothing happens once it was reaped.
  void kill(int signal) noexcept;
  /// Reaps the process if it has ended. Never waits.
  [[nodiscard]] std::optional<ExitStatus> try_wait() noexcept;
  /// Waits for the end until the deadline; nothing if that came first.
  [[nodiscard]] std::optional<ExitStatus> wait(MonotonicTime deadline) noexcept;
  [[nodiscard]] ExitStatus wait() noexcept;

 private:
  void end() noexcept;

  pid_t pid_ = 0;
  Fd pidfd_;
  bool own_group_ = false;
  std::optional<ExitStatus> status_;
};

struct RunOptions {
  std::filesystem::path cwd{};
  std::optional<std::vector<std::string>> environment{};
  std::string input{};                                  ///< what the command reads from stdin
  std::vector<ChildOptions::Descriptor> descriptors{};  ///< what else it has open
  std::chrono::milliseconds deadline{60'000};           ///< from the start; then the group is killed
  std::size_t max_output = 1U << 20U;  ///< bytes kept of each stream; what follows is read and dropped
  /// Called with every piece of output as it comes, also with what is not kept.
  std::function<void(std::string_view)> on_output{};
};

struct RunResult {
  ExitStatus status;
  std::string output;  ///< stdout
  std::string errors;  ///< stderr
  bool truncated = false;
  bool timed_out = false;  ///< it was killed at the deadline
};

/// Runs a command to its end. Blocks the calling thread. An error means that it
/// could not be started; how it ended is in the result.
[[nodiscard]] Result<RunResult> run(const std::vector<std::string>& argv, const RunOptions& options = {});

}  // namespace mayfly
