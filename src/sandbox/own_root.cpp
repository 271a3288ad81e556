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

/// Maps the process `target`, which is in a new namespace, from outside: its root is `user`, its further
/// users those granted, where there is a program that may do that; else itself alone.
bool map(pid_t target, uid_t user, gid_t group) {
  const auto pid = std::to_string(target);
  const auto users = granted("/etc/subuid", user);
  const auto groups = granted("/etc/subgid", user);
  const auto tool = find_program("newuidmap");
  if (users && groups && !tool.empty()) {
    RunOptions options;
    options.deadline = kPatience;
    const auto mapped = [&](const char* program, unsigned own, const Ids& ids) {
      const auto done =
          run({program, pid, "0", std::to_string(own), "1", "1", ids.first, ids.count}, options);
      return done && done->status.success();
    };
    if (mapped("newuidmap", user, *users) && mapped("newgidmap", group, *groups)) return true;
  }
  const auto folder = "/proc/" + pid + "/";
  (void)write_file(folder + "setgroups", "deny");
  return write_file(folder + "uid_map", "0 " + std::to_string(user) + " 1") &&
         write_file(folder + "gid_map", "0 " + std::to_string(group) + " 1");
}

}  // namespace

Result<void> become_own_root() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (user == 0) return {};
  int entered[2];
  if (::pipe2(entered, O_CLOEXEC) != 0) return fail_errno("pipe");
  Fd wait_entered(entered[0]);
  Fd tell_entered(entered[1]);
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
  if (status != 0) return fail_errno("map the users of a user namespace", EPERM);
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    return fail_errno("be the root of a user namespace");
  return {};
}

}  // namespace mayfly::sandbox
