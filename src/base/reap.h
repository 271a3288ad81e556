// Reaping children without threads, for processes that fork (fork servers): a daemon with threads uses Child
// instead. And processes of which only a pidfd is known.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace mayfly {

struct Reaped {
  pid_t pid = 0;
  int wait_status = 0;              ///< as wait(2) gives it
  std::chrono::nanoseconds cpu{0};  ///< that it used, user and system, with the children that it waited for
};

/// The next child that has ended, or nothing if none has. Never waits.
[[nodiscard]] std::optional<Reaped> reap_any_child();

/// Waits until the child behind a pidfd has ended (it must be about to: killed already) and reaps it;
/// its wait status as wait(2) gives it, or nothing if it is no child of the caller.
[[nodiscard]] std::optional<int> wait_for_exit(int pidfd);

/// SIGKILL to the process behind a pidfd; nothing happens if it has ended.
void kill_process(int pidfd);

/// SIGKILL to a process that cannot end, and so give its number to another, meanwhile: a frozen one.
void kill_pid(pid_t pid);

/// Process id, in our PID namespace, of the process behind a pidfd; 0 if it has been reaped, or if this is no
/// pidfd. Only for logs and for /proc.
[[nodiscard]] pid_t pid_of(int pidfd);

/// The parent of the process behind a pidfd, in our PID namespace; 0 if it has been reaped, for then nothing
/// can be done to it. Nothing: this is no pidfd, or the process or its parent is outside of our namespace.
[[nodiscard]] std::optional<pid_t> parent_of(int pidfd);

/// For the first process of a command's own namespace: reaps whatever ends, until the process `pid` has; its
/// wait status. Async-signal-safe.
[[nodiscard]] int reap_until(pid_t pid);

/// Waits for the end of a child that was forked by hand; its wait status as wait(2) gives it.
[[nodiscard]] int reap_child(pid_t child);

/// SIGKILL to a child that is not reaped yet, and its end.
void end_child(pid_t child);

/// SIGKILL to a process group whose leader is the caller's child and not reaped yet.
void kill_group(pid_t leader);

/// SIGKILL to every process of a user that runs nothing but what may be killed. Needs root's rights; blocks
/// until the signals are sent.
void kill_all_of_user(uid_t user);

/// From now on, whoever below this process loses its parent becomes its child (PR_SET_CHILD_SUBREAPER). Not
/// inherited by a fork.
void adopt_orphans();

/// The children of this process, ended ones included, as /proc lists them; empty where it does not.
[[nodiscard]] std::vector<pid_t> children_of_this_process();

/// How many of them still run.
[[nodiscard]] std::size_t running_children();

/// Reaps those children that `is_stray` names and that have ended. Never waits.
void reap_strays(const std::function<bool(pid_t)>& is_stray);

/// Kills and reaps the children that `is_stray` names, and what they leave to this process in turn (it has to
/// be the one that adopts them). Such as make new ones faster than they are killed are stopped first, all of
/// them: what is stopped does not fork, and takes the place of others under a limit of processes. False: some
/// are left even so; try again, then with `again`. `is_wanted` is asked after each attempt whether this
/// process has something else to do first.
[[nodiscard]] bool end_strays(const std::function<bool(pid_t)>& is_stray, bool again = false,
                              const std::function<bool()>& is_wanted = {});

}  // namespace mayfly
