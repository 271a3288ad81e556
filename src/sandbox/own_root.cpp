#include "sandbox/own_root.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "base/child.h"
#include "base/fd.h"
#include "base/pipe.h"
#include "base/reap.h"

namespace mayfly::sandbox {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

struct Ids {
  std::string first;
  std::string count;
};

/// "NAME:FIRST:COUNT" in /etc/subuid or /etc/subgid (subuid(5)); the name may be a number.
std::optional<Ids> granted(const char* file, uid_t user) {
  const passwd* entry = ::getpwuid(user);
  const std::string name = entry != nullptr ? entry->pw_name : "";
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string who;
    Ids ids;
    if (!std::getline(fields, who, ':') || !std::getline(fields, ids.first, ':') ||
        !std::getline(fields, ids.count))
      continue;
    if ((!name.empty() && who == name) || who == std::to_string(user)) return ids;
  }
  return std::nullopt;
}

bool write_file(const std::string& path, const std::string& text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// One map of the process `target`, from outside: its root is `own`, and further ones are those granted,
/// where there is a program that may write that; else its root alone.
bool map_ids(const std::string& target, const char* tool, const char* grants, const char* file, unsigned own,
             uid_t user) {
  const auto ids = granted(grants, user);
  const auto program = find_program(tool);
  if (ids && !program.empty()) {
    RunOptions options;
    options.deadline = kPatience;
    const auto done =
        run({program, target, "0", std::to_string(own), "1", "1", ids->first, ids->count}, options);
    if (done && done->status.success()) return true;
  }
  return write_file("/proc/" + target + "/" + file, "0 " + std::to_string(own) + " 1");
}

bool map(pid_t target, uid_t user, gid_t group) {
  const auto pid = std::to_string(target);
  if (!map_ids(pid, "newuidmap", "/etc/subuid", "uid_map", user, user)) return false;
  if (granted("/etc/subgid", user) && !find_program("newgidmap").empty() &&
      map_ids(pid, "newgidmap", "/etc/subgid", "gid_map", group, user))
    return true;
  (void)write_file("/proc/" + pid + "/setgroups",
                   "deny");  // without this nobody may map a group of their own
  return write_file("/proc/" + pid + "/gid_map", "0 " + std::to_string(group) + " 1");
}

}  // namespace

Result<void> become_own_root() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (user == 0) return {};
  auto entered = make_pipe();
  if (!entered) return propagate(entered);
  const Fd wait_entered = std::move(entered->read);
  Fd tell_entered = std::move(entered->write);
  // Who maps must be outside: a process that stays there until this one has entered.
  const pid_t self = ::getpid();
  const pid_t mapper = ::fork();
  if (mapper < 0) return fail_errno("fork");
  if (mapper == 0) {
    tell_entered.reset();
    char byte = 0;
    ::_exit(::read(wait_entered.get(), &byte, 1) == 1 && map(self, user, group) ? 0 : 1);
  }
  // A program that only its user may read is not "dumpable", and its /proc then belongs to root.
  ::prctl(PR_SET_DUMPABLE, 1);
  const bool inside = ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  const int error = errno;
  if (inside) (void)!::write(tell_entered.get(), "e", 1);
  tell_entered.reset();
  const int status = reap_child(mapper);
  if (!inside) return fail_errno("enter a user namespace", error);
  if (status != 0) return fail_errno("map the users of a user namespace", ENOTRECOVERABLE);
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    return fail_errno("be the root of a user namespace", ENOTRECOVERABLE);
  return {};
}

}  // namespace mayfly::sandbox
