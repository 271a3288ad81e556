#include "sandbox/launch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/reap.h"

namespace mayfly::sandbox {
namespace {

namespace fs = std::filesystem;

/// What a shell script says that runs as a runtime process does.
std::string output_of(const std::string& script) {
  int control[2];
  int output[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) return "no control socket";
  if (::pipe2(output, O_CLOEXEC) != 0) return "no pipe";
  const Fd ours(control[0]), theirs(control[1]), reader(output[0]);
  Fd writer(output[1]);
  LaunchOptions options;
  options.argv = {"/usr/bin/sh", "-c", script};
  options.control = theirs.get();
  options.output = writer.get();
  auto launched = launch(options);
  if (!launched) return launched.error().message;
  writer.reset();
  std::string text;
  char buffer[512];
  for (ssize_t got = 0; (got = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  (void)wait_for_exit(launched->pidfd.get());
  return text;
}

/// Goes into a chroot whose "/" is a plain folder, as debootstrap makes them; false where that is not
/// allowed.
bool enter_chroot(const fs::path& root) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return false;
  for (const char* name : {"usr", "dev", "proc"}) {
    fs::create_directory(root / name);
    if (::mount((fs::path("/") / name).c_str(), (root / name).c_str(), nullptr, MS_BIND | MS_REC, nullptr) !=
        0)
      return false;
  }
  for (const char* name : {"lib", "lib64", "bin"}) fs::create_symlink(fs::path("usr") / name, root / name);
  return ::chroot(root.c_str()) == 0 && ::chdir("/") == 0;
}

TEST(Launch, StartsInNamespacesOfItsOwnWhereThatIsAllowed) {
  const auto text = output_of("echo ready as $$");
  EXPECT_EQ(text.substr(0, 9), "ready as ") << text;
}

TEST(Launch, SaysWhatCouldNotBeExecuted) {
  int output[2];
  ASSERT_EQ(::pipe2(output, O_CLOEXEC), 0);
  const Fd reader(output[0]);
  Fd writer(output[1]);
  LaunchOptions options;
  options.argv = {"/not/there"};
  options.control = options.output = writer.get();
  auto launched = launch(options);
  ASSERT_TRUE(launched) << launched.error().message;
  writer.reset();
  char buffer[64];
  const auto got = ::read(reader.get(), buffer, sizeof buffer);
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))), "cannot execute it");
  (void)wait_for_exit(launched->pidfd.get());
}

// In a chroot made by debootstrap no function could be deployed: "/" is no mount point there.
TEST(Launch, StartsInAChrootWhoseRootIsNoMountPoint) {
  char root[] = "/tmp/mayfly-launch-XXXXXX";
  ASSERT_NE(::mkdtemp(root), nullptr);
  constexpr int kNotAllowed = 77;
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    if (!enter_chroot(root)) ::_exit(kNotAllowed);
    const auto text = output_of("echo $$; ls -d /proc/[0-9]* | head -n 1");
    if (text != "1\n/proc/1\n") (void)!::write(2, text.data(), text.size());
    ::_exit(text == "1\n/proc/1\n" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  // Its mounts have ended with its namespace: what is left are empty folders and links.
  fs::remove_all(root);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotAllowed) GTEST_SKIP() << "no mounts for this user";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace mayfly::sandbox
