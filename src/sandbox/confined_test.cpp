#include "sandbox/confined.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/temp_folder.h"
#include "sandbox/build_user.h"

namespace mayfly::sandbox {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A folder to work in, below one that other users may not enter, as a data folder may be.
class Confined : public testing::Test {
 protected:
  Confined() : data_(data()) {
    ::chmod(data_.path().c_str(), 0700);
    for (const char* name : {"work", "secret", "shown"}) fs::create_directory(data_.path() / name);
    write(data_.path() / "secret/token", "s3cret");
    write(data_.path() / "shown/tool", "a tool");
  }

  /// Not in /tmp: what is there is covered anyway.
  static fs::path data() {
    const char* home = std::getenv("HOME");
    return ::geteuid() == 0 ? fs::path("/var") : fs::path(home != nullptr ? home : "/var/tmp");
  }

  static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

  static std::string read(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  [[nodiscard]] ConfinedCommand shell(const std::string& script) const {
    ConfinedCommand command;
    command.argv = {"sh", "-c", script};
    command.environment = {"PATH=/usr/bin:/bin", "GREETING=hi"};
    command.folder = work();
    command.writable = {work()};
    command.hidden = {data_.path()};
    command.visible = {data_.path() / "shown"};
    command.limit = 30s;
    return command;
  }

  /// What the script says; its end must be a good one.
  [[nodiscard]] std::string says(const std::string& script) const { return says(shell(script)); }
  [[nodiscard]] static std::string says(const ConfinedCommand& command) {
    const auto result = run_confined(command);
    if (!result) return "ERROR " + result.error().message;
    if (!result->status.success()) return "FAILED " + result->status.text() + ": " + result->tail;
    return result->tail;
  }

  [[nodiscard]] fs::path work() const { return data_.path() / "work"; }

  TempFolder data_;
};

TEST_F(Confined, RunsWithTheEnvironmentGivenAndNothingElse) {
  EXPECT_EQ(says("echo $GREETING; env | grep -c HOME; pwd; cat"), "hi\n0\n" + work().string() + "\n");
}

TEST_F(Confined, GivesOutputAsItComesAndKeepsItsEnd) {
  std::string streamed;
  auto command = shell("echo first; seq 1 20000; echo problem >&2; exit 3");
  command.output = [&](std::string_view text) { streamed += text; };
  const auto result = run_confined(command);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status.text(), "exit code 3");
  EXPECT_TRUE(streamed.starts_with("first\n1\n2\n")) << streamed.substr(0, 100);
  EXPECT_EQ(result->tail.size(), 16U << 10U);
  EXPECT_TRUE(result->tail.ends_with("\n20000\nproblem\n"));
}

TEST_F(Confined, SaysWhatCouldNotBeExecuted) {
  auto command = shell("");
  command.argv = {"no-such-tool"};
  const auto result = run_confined(command);
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().message.contains("no-such-tool")) << result.error().message;
  EXPECT_EQ(result.error().code.value(), ENOENT);
}

TEST_F(Confined, WritesWhereItMayAndNowhereElse) {
  const auto result = run_confined(shell("echo built > out; mkdir -p deep/er; echo x > deep/er/file"));
  ASSERT_TRUE(result) << result.error().message;
  if (!result->degraded.empty()) GTEST_SKIP() << result->degraded.front();
  EXPECT_EQ(read(work() / "out"), "built\n");
  struct stat status{};
  ASSERT_EQ(::stat((work() / "deep/er/file").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, ::geteuid());

  EXPECT_TRUE(says("echo x > /etc/mayfly-was-here").contains("Read-only file system"));
  EXPECT_TRUE(says("echo x > ../mine").contains("Read-only file system"));
  EXPECT_TRUE(says("echo x > ../shown/tool").contains("FAILED"));
  EXPECT_EQ(read(data_.path() / "shown/tool"), "a tool");
}

TEST_F(Confined, DoesNotSeeWhatIsHidden) {
  EXPECT_EQ(says("ls ..; cat ../shown/tool"), "shown\nwork\na tool");
  EXPECT_TRUE(says("cat ../secret/token").contains("No such file"));
}

TEST_F(Confined, DoesNotSeeTheDaemonsHomeUnlessItIsShown) {
  const std::string before = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  const auto home = data_.path() / "home";
  for (const char* name : {".ssh", ".toolchain"}) fs::create_directories(home / name);
  ::setenv("HOME", home.c_str(), 1);
  auto command = shell("ls -A ../home");
  command.hidden.clear();
  ::chmod(data_.path().c_str(), 0755);  // what is closed on the way to something is hidden as a whole
  EXPECT_EQ(says(command), "");
  command.visible = {home / ".toolchain"};
  EXPECT_EQ(says(command), ".toolchain\n");
  ::setenv("HOME", before.c_str(), 1);
}

TEST_F(Confined, AHiddenFileIsEmpty) {
  auto command = shell("cat ../shown/key; cat ../shown/tool");
  write(data_.path() / "shown/key", "k3y");
  command.hidden.push_back(data_.path() / "shown/key");
  EXPECT_EQ(says(command), "a tool");
}

TEST_F(Confined, HasATmpOfItsOwn) {
  const TempFolder other;
  EXPECT_EQ(says("ls /tmp | wc -l; echo x > /tmp/y && cat /tmp/y"), "0\nx\n");
  EXPECT_FALSE(fs::exists("/tmp/y"));
}

TEST_F(Confined, HasNoNetworkUnlessItIsGiven) {
  EXPECT_EQ(says("ls /sys/class/net >/dev/null; cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '"),
            "lo\n");
  auto command = shell("readlink /proc/self/ns/net");
  command.network = true;
  std::array<char, 64> ours{};
  ASSERT_GT(::readlink("/proc/self/ns/net", ours.data(), ours.size() - 1), 0);
  EXPECT_EQ(says(command), std::string(ours.data()) + "\n");
}

TEST_F(Confined, HasNoRights) {
  const auto text =
      says("id -u; grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status; ps -e 2>&1 | grep -c sh");
  EXPECT_TRUE(text.contains("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n")) << text;
  EXPECT_TRUE(text.contains("NoNewPrivs:\t1")) << text;
  if (::geteuid() == 0) {
    EXPECT_TRUE(text.starts_with("19000")) << text;  // of BuildUser's range
  }
}

TEST_F(Confined, HasTheFilterThatFunctionsHave) {
  std::ifstream status("/proc/self/status");
  std::string own = "0";
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Seccomp_filters:")) own = line.substr(line.find('\t') + 1);
  EXPECT_EQ(says("grep '^Seccomp_filters:' /proc/self/status"),
            "Seccomp_filters:\t" + std::to_string(std::stoi(own) + 1) + "\n")
      << "one more than this test has";
  EXPECT_TRUE(says("unshare --uts true").contains("Operation not permitted"));
}

TEST_F(Confined, EverythingOfItEndsWithIt) {
  // A process in a session of its own, which writes for as long as it lives.
  const auto began = says(
      "setsid sh -c 'while :; do echo x >> ticks; sleep 0.01; done' >/dev/null 2>&1 & "
      "while ! test -s ticks; do sleep 0.01; done; echo done");
  EXPECT_EQ(began, "done\n");
  const auto size = fs::file_size(work() / "ticks");
  ::usleep(50'000);
  EXPECT_EQ(fs::file_size(work() / "ticks"), size);
}

TEST_F(Confined, IsKilledAtItsLimit) {
  auto command = shell("echo began; sleep 1000 & sleep 1000");
  command.limit = 300ms;
  const auto result = run_confined(command);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->timed_out);
  EXPECT_EQ(result->tail, "began\n");
}

TEST_F(Confined, IsEndedWhenTheDiskIsNearlyFull) {
  auto command = shell("sleep 60");
  command.min_free = 1ULL << 60U;  // nobody has that
  const auto result = run_confined(command);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->disk_full);
  EXPECT_FALSE(result->status.success());
  command = shell("true");
  command.min_free = 1;
  EXPECT_TRUE(run_confined(command)->status.success());
}

TEST_F(Confined, IsEndedFromOutside) {
  std::stop_source source;
  auto command = shell("echo began; sleep 1000");
  command.stop = source.get_token();
  command.output = [&](std::string_view) { source.request_stop(); };
  const auto result = run_confined(command);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->status.success());
  EXPECT_FALSE(result->timed_out);
}

TEST_F(Confined, OneThatPrintsForEverMeetsItsLimit) {
  auto command = shell("yes");
  command.limit = 200ms;
  const auto result = run_confined(command);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->timed_out);
}

TEST_F(Confined, LeavesNoFileThatGivesItsOwnersRights) {
  EXPECT_EQ(says("cp /bin/sh sh; chmod 6755 sh; mkdir d; chmod 2777 d; mkdir closed; chmod 0 closed"), "");
  for (const auto& [name, mode] :
       {std::pair("sh", 0755U), std::pair("d", 0777U), std::pair("closed", 0700U)}) {
    struct stat status{};
    ASSERT_EQ(::stat((work() / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, mode) << name;
  }
}

TEST_F(Confined, LimitsFilesAndProcesses) {
  auto command = shell("head -c 2000000 /dev/zero > big; ls -l big | cut -d' ' -f5");
  command.max_file = 1U << 20U;
  EXPECT_TRUE(says(command).ends_with("1048576\n"));
  command = shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all");
  command.max_processes = 8;
  EXPECT_FALSE(says(command).contains("all"));
}

TEST_F(Confined, CachesBelongToTheirOneUserAndStayThere) {
  const auto cache = data_.path() / "cache";
  fs::create_directory(cache);
  auto command = shell("echo x >> " + (cache / "entry").string() + "; wc -l < " + (cache / "entry").string());
  command.caches = {cache};
  EXPECT_EQ(says(command), "1\n");
  EXPECT_EQ(says(command), "2\n");
  struct stat status{};
  ASSERT_EQ(::stat((cache / "entry").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, BuildUser::of_caches().id());
}

/// Runs a check in a process of its own, which gives up what it has first.
template <class Prepare, class Check>
std::string in_child(Prepare prepare, Check check) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) {
    const std::string text = prepare() ? check() : "could not prepare";
    (void)!::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[512];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  return text;
}

std::string summary(const ConfinedCommand& command) {
  const auto result = run_confined(command);
  if (!result) return "ERROR " + result.error().message;
  std::string text = std::to_string(result->degraded.size()) + " " + result->tail;
  for (const auto& reason : result->degraded) text += "\n(" + reason + ")";
  return text;
}

TEST_F(Confined, AnOrdinaryUserUsesAUserNamespace) {
  if (::geteuid() != 0) GTEST_SKIP() << "the other tests are about that";
  constexpr uid_t kOrdinary = 54321;
  for (const auto& folder : {data_.path(), work(), data_.path() / "secret"})
    ASSERT_EQ(::chown(folder.c_str(), kOrdinary, kOrdinary), 0);
  const auto become = [] {
    return ::setgid(kOrdinary) == 0 && ::setuid(kOrdinary) == 0 && ::prctl(PR_SET_DUMPABLE, 1) == 0;
  };
  const auto text =
      in_child(become, [&] { return summary(shell("id -u; ls ..; echo x > file && echo y > ../file")); });
  if (text.starts_with("1") || text.starts_with("2")) GTEST_SKIP() << "no user namespaces here: " << text;
  EXPECT_TRUE(text.starts_with("0 54321\nshown\nwork\n")) << text;
  EXPECT_TRUE(text.contains("Read-only file system")) << text;
  EXPECT_TRUE(fs::exists(work() / "file"));
}

TEST_F(Confined, RootWithoutTheRightToMountUsesAUserNamespace) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto drop = [] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    ::syscall(SYS_capget, &header, data.data());
    data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
    data[0].effective = data[0].permitted;
    return ::syscall(SYS_capset, &header, data.data()) == 0;
  };
  const auto text = in_child(drop, [&] { return summary(shell("id -u; ls ..; cat ../secret/token")); });
  if (text.starts_with("1") || text.starts_with("2")) GTEST_SKIP() << "no user namespaces here: " << text;
  EXPECT_TRUE(text.starts_with("0 19000")) << text;
  EXPECT_TRUE(text.contains("shown\nwork\n")) << text;
  EXPECT_FALSE(text.contains("s3cret")) << text;
}

/// From now on the kernel refuses one system call, as a container's filter does.
bool refuse(int number) {
  std::array<sock_filter, 4> program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{program.size(), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_F(Confined, WithoutNamespacesItRunsAndSaysSo) {
  // As root the user changes all the same, and that one must be able to get there.
  ::chmod(data_.path().c_str(), 0755);
  const auto text =
      in_child([] { return refuse(SYS_mount_setattr); },
               [&] { return summary(shell("id -u; touch file; (setsid sleep 1000 &); touch /etc/x")); });
  EXPECT_TRUE(text.starts_with(::geteuid() == 0 ? "2 19000" : "3 ")) << text;
  EXPECT_TRUE(text.contains("Permission denied")) << text;
  EXPECT_TRUE(fs::exists(work() / "file"));
}

}  // namespace
}  // namespace mayfly::sandbox
