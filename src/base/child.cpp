#include "base/child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/memory_file.h"
#include "base/pipe.h"
#include "base/raw_child.h"

namespace mayfly {
namespace {

/// What a child reports when it could not execute: the step that failed, and why.
struct Failure {
  enum class Step : int { group, descriptors, cwd, exec } step;
  int error;
};

const char* step_name(Failure::Step step) {
  switch (step) {
    case Failure::Step::group:
      return "setpgid";
    case Failure::Step::descriptors:
      return "place descriptors";
    case Failure::Step::cwd:
      return "chdir";
    case Failure::Step::exec:
      return "execute";
  }
  return "start";
}

/// Everything the child needs, made before the clone: the daemon has threads, so after it only
/// async-signal-safe calls are allowed, and no allocation.
struct Prepared {
  std::string executable;
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::string cwd;
  std::vector<ChildOptions::Descriptor> descriptors;
  int above = 0;  ///< the first number that is no target
  Fd null;
  Fd report;
  pid_t parent = 0;
  bool new_group = false;
  bool die_with_parent = false;
};

[[noreturn]] void give_up(int report, Failure::Step step) {
  const Failure failure{step, errno};
  (void)!::write(report, &failure, sizeof failure);
  ::_exit(127);
}

/// Moves every descriptor out of the way of all targets first, so that no dup2 hits one still needed.
void place_descriptors(Prepared& p, int report) {
  const auto fail = [&] { give_up(report, Failure::Step::descriptors); };
  for (auto& d : p.descriptors) {
    d.ours = ::fcntl(d.ours, F_DUPFD_CLOEXEC, p.above);
    if (d.ours < 0) fail();
  }
  if (::syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fail();
  for (const auto& d : p.descriptors)
    if (::dup2(d.ours, d.number) < 0) fail();
}

[[noreturn]] void child_main(Prepared& p) {
  const int report = ::fcntl(p.report.get(), F_DUPFD_CLOEXEC, p.above);
  if (report < 0) ::_exit(127);
  if (p.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != p.parent) ::_exit(127);  // the parent died before the line above
  }
  if (p.new_group && ::setpgid(0, 0) != 0) give_up(report, Failure::Step::group);
  place_descriptors(p, report);
  if (!p.cwd.empty() && ::chdir(p.cwd.c_str()) != 0) give_up(report, Failure::Step::cwd);
  // All signals are blocked since before the clone: no handler of ours may run here.
  reset_signals();
  ::execve(p.executable.c_str(), p.argv.data(), p.environment.data());
  give_up(report, Failure::Step::exec);
}

Result<Prepared> prepare(const ChildOptions& options) {
  Prepared p;
  const auto& program = options.argv.at(0);
  p.executable = program.contains('/') ? program : find_program(program);
  if (p.executable.empty()) p.executable = program;  // execve says what is wrong with it
  p.argv = c_strings(options.argv);
  if (options.environment) {
    p.environment = c_strings(*options.environment);
  } else {
    for (char** e = ::environ; *e != nullptr; ++e) p.environment.push_back(*e);
    p.environment.push_back(nullptr);
  }
  p.cwd = options.cwd;
  p.descriptors = options.descriptors;
  p.null = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!p.null) return fail_errno("open /dev/null");
  for (int number = 0; number <= 2; ++number) {
    if (std::ranges::find(p.descriptors, number, &ChildOptions::Descriptor::number) == p.descriptors.end())
      p.descriptors.push_back({p.null.get(), number});
  }
  for (const auto& d : p.descriptors) p.above = std::max(p.above, d.number + 1);
  p.parent = ::getpid();
  p.new_group = options.new_group;
  p.die_with_parent = options.die_with_parent;
  return p;
}

int poll_timeout(MonotonicTime deadline) {
  if (deadline == MonotonicTime::max()) return -1;
  const auto left = deadline - std::chrono::steady_clock::now();
  const auto ms = std::chrono::ceil<milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
}

}  // namespace

std::string find_program(const std::string& name) {
  if (name.contains('/')) return std::filesystem::absolute(name);
  const char* value = std::getenv("PATH");
  std::string_view path = value != nullptr ? value : "/usr/local/bin:/usr/bin:/bin";
  while (!path.empty()) {
    const auto folder = path.substr(0, path.find(':'));
    auto candidate = std::string(folder) + "/" + name;
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
  }
  return {};
}

std::string ExitStatus::text() const {
  if (how == How::exited) return "exit code " + std::to_string(value);
  const char* description = ::sigdescr_np(value);
  auto text = "signal " + std::to_string(value);
  if (description != nullptr) text += " (" + std::string(description) + ")";
  return text;
}

Result<Child> Child::start(const ChildOptions& options) {
  if (options.argv.empty()) return fail_errno("start a process without argv", EINVAL);
  auto prepared = prepare(options);
  if (!prepared) return propagate(prepared);
  auto report = make_pipe();
  if (!report) return propagate(report);
  const Fd failures = std::move(report->read);
  prepared->report = std::move(report->write);

  int pidfd = -1;
  pid_t pid = 0;
  {
    const SignalsBlocked blocked;
    // Not clone3: a filter cannot see the flags of that, so boxes do not have it (sandbox/syscall_filter.h).
    pid = static_cast<pid_t>(::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0));
    if (pid == 0) child_main(*prepared);
  }
  if (pid < 0) return fail_errno("clone");
  Child child;
  child.pid_ = pid;
  child.pidfd_ = Fd(pidfd);
  child.own_group_ = options.new_group;

  // Closed by a successful exec: then nothing can be read, and the group exists.
  prepared->report.reset();
  Failure failure{};
  ssize_t got = 0;
  do got = ::read(failures.get(), &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  if (got == sizeof failure) {
    child.own_group_ = false;
    (void)child.wait();
    return fail_errno(std::string(step_name(failure.step)) + " '" + options.argv[0] + "'", failure.error);
  }
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      own_group_(other.own_group_),
      status_(std::exchange(other.status_, std::nullopt)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, 0);
    pidfd_ = std::move(other.pidfd_);
    own_group_ = other.own_group_;
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

void Child::kill(int signal) noexcept {
  if (!pidfd_ || status_) return;
  // The group's number cannot be given to another while its leader is not reaped.
  if (own_group_)
    ::kill(-pid_, signal);
  else
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

std::optional<ExitStatus> Child::try_wait() noexcept {
  if (status_ || !pidfd_) return status_;
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd_.get());
  if (::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return std::nullopt;
  if (own_group_) ::kill(-pid_, SIGKILL);  // what it leaves behind, while the group's number is still its own
  ::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG);
  status_ = ExitStatus{info.si_code == CLD_EXITED ? ExitStatus::How::exited : ExitStatus::How::signalled,
                       info.si_status, info.si_code == CLD_DUMPED};
  return status_;
}

std::optional<ExitStatus> Child::wait(MonotonicTime deadline) noexcept {
  for (;;) {
    if (auto status = try_wait(); status || !pidfd_) return status;
    pollfd item{pidfd_.get(), POLLIN, 0};
    const int ready = ::poll(&item, 1, poll_timeout(deadline));
    if (ready == 0 && std::chrono::steady_clock::now() >= deadline) return try_wait();
  }
}

ExitStatus Child::wait() noexcept { return wait(MonotonicTime::max()).value_or(ExitStatus{}); }

void Child::end() noexcept {
  if (!pidfd_) return;
  kill(SIGKILL);
  (void)wait();
  pidfd_.reset();
  pid_ = 0;
}

namespace {

/// One captured stream of a command.
struct Capture {
  Fd fd;
  std::string* text;
};

/// Reads what is there, but a bounded amount: a child that writes for ever must meet its deadline.
/// Closes the stream at its end.
void drain(Capture& capture, const RunOptions& options, RunResult& result) {
  constexpr int kReads = 16;  // 1 MiB: the largest capacity that a pipe can have without privileges
  std::array<char, 65536> buffer;
  for (int reads = 0; reads < kReads;) {
    const ssize_t got = ::read(capture.fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return capture.fd.reset();
    ++reads;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
    if (options.on_output) options.on_output(piece);
    const auto room = options.max_output - std::min(options.max_output, capture.text->size());
    capture.text->append(piece.substr(0, room));
    if (piece.size() > room) result.truncated = true;
  }
}

/// Reads both streams until the command ends; kills it at the deadline.
void follow(Child& child, std::array<Capture, 2>& captures, const RunOptions& options, RunResult& result) {
  const auto deadline = std::chrono::steady_clock::now() + options.deadline;
  while (!child.try_wait()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      result.timed_out = true;
      child.kill(SIGKILL);
      (void)child.wait();
      break;
    }
    std::array<pollfd, 3> items{pollfd{child.pidfd(), POLLIN, 0}, pollfd{captures[0].fd.get(), POLLIN, 0},
                                pollfd{captures[1].fd.get(), POLLIN, 0}};
    ::poll(items.data(), items.size(), poll_timeout(deadline));
    for (auto& capture : captures)
      if (capture.fd) drain(capture, options, result);
  }
}

}  // namespace

Result<RunResult> run(const std::vector<std::string>& argv, const RunOptions& options) {
  auto out = output_pipe();
  if (!out) return propagate(out);
  auto err = output_pipe();
  if (!err) return propagate(err);
  ChildOptions child_options{.argv = argv,
                             .environment = options.environment,
                             .cwd = options.cwd,
                             .descriptors = options.descriptors};
  child_options.descriptors.push_back({out->theirs.get(), 1});
  child_options.descriptors.push_back({err->theirs.get(), 2});
  Fd input;  // a file, not a pipe: nobody has to write while the command runs
  if (!options.input.empty()) {
    auto file = sealed_file("stdin", options.input);
    if (!file) return propagate(file);
    input = std::move(*file);
    child_options.descriptors.push_back({input.get(), 0});
  }
  auto child = Child::start(child_options);
  if (!child) return propagate(child);
  out->theirs.reset();
  err->theirs.reset();

  RunResult result;
  std::array<Capture, 2> captures{Capture{std::move(out->ours), &result.output},
                                  Capture{std::move(err->ours), &result.errors}};
  follow(*child, captures, options, result);
  // What was written before the end is still in the pipes: at most a pipe's capacity each.
  for (auto& capture : captures)
    if (capture.fd) drain(capture, options, result);
  result.status = child->wait();
  return result;
}

}  // namespace mayfly
