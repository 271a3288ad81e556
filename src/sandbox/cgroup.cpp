#include "sandbox/cgroup.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/reap.h"

namespace mayfly::sandbox {
namespace fs = std::filesystem;
namespace {

/// Of the kernel's scheduler for a ceiling of CPU time: the usual one, and both versions' default.
constexpr std::uint64_t kCpuPeriod = 100'000;  // µs

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

/// A file with one number.
std::optional<std::uint64_t> read_number(const CgroupFiles& files, const fs::path& file) {
  const auto text = files.read(file);
  return text ? number(*text) : std::nullopt;
}

/// The value of "KEY VALUE" in a file with a line for each key.
std::optional<std::uint64_t> read_key(const CgroupFiles& files, const fs::path& file, std::string_view key) {
  const auto text = files.read(file);
  if (!text) return std::nullopt;
  const std::string line = "\n" + std::string(key) + " ";
  const auto found = ("\n" + *text).find(line);
  if (found == std::string::npos) return std::nullopt;
  return number(std::string_view(*text).substr(found + line.size() - 1));
}

bool is_missing(const Result<void>& done) { return !done && done.error().code.value() == ENOENT; }

/// Until nothing in a group of version 1 runs any more; a moment, or never when a process is stuck in the
/// kernel: then what can be killed is.
void await_frozen(const CgroupFiles& files, const fs::path& state) {
  for (int i = 0; i < 200; ++i) {
    const auto now = files.read(state);
    if (!now || now->starts_with("FROZEN")) return;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void kill_listed(const CgroupFiles& files, const fs::path& folder) {
  const auto list = files.read(folder / "cgroup.procs");
  if (!list) return;
  std::string_view rest = *list;
  while (!rest.empty()) {
    // 0 stands for a process outside of our PID namespace, and for kill(2) means this process's group.
    if (const auto pid = number(rest); pid && *pid > 0) kill_pid(static_cast<pid_t>(*pid));
    const auto end = rest.find('\n');
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

}  // namespace

std::string_view name_of(CgroupPart part) {
  switch (part) {
    case CgroupPart::memory:
      return "memory";
    case CgroupPart::cpu:
      return "cpu";
    case CgroupPart::processes:
      return "processes";
    case CgroupPart::control:
      return "control";
    case CgroupPart::cpu_time:
      break;
  }
  return "cpu time";
}

std::vector<CgroupPlace> distinct(const CgroupPlaces& places) {
  std::vector<CgroupPlace> all;
  for (const auto& place : places)
    if (place && std::ranges::find(all, place->folder, &CgroupPlace::folder) == all.end())
      all.push_back(*place);
  return all;
}

void kill_group_members(const CgroupFiles& files, const CgroupPlace& control) {
  const auto& folder = control.folder;
  if (control.unified && files.write(folder / "cgroup.kill", "1")) return;  // Linux 5.14
  const auto* const file = control.unified ? "cgroup.freeze" : "freezer.state";
  (void)files.write(folder / file, control.unified ? "1" : "FROZEN");
  if (!control.unified) await_frozen(files, folder / file);
  kill_listed(files, folder);
  (void)files.write(folder / file, control.unified ? "0" : "THAWED");
}

Cgroup::Cgroup(const CgroupFiles& files, std::string name, CgroupPlaces places, std::shared_ptr<Owner> owner)
    : files_(files), name_(std::move(name)), places_(std::move(places)), owner_(std::move(owner)) {}

Cgroup::~Cgroup() {
  kill_all();
  owner_->retire(name_);
}

Result<std::vector<Fd>> Cgroup::joins() const {
  std::vector<Fd> joins;
  for (const auto& place : distinct(places_)) {
    // A thread that moves itself alone does not wait for all forks and ends of the machine to stand still,
    // for milliseconds (kernel/cgroup/cgroup.c, cgroup_procs_write_start). Version 2 does not let it.
    auto fd = files_.open(place.folder / (place.unified ? "cgroup.procs" : "tasks"));
    if (!fd) return propagate(fd);
    joins.push_back(std::move(*fd));
  }
  return joins;
}

Result<void> Cgroup::limit_memory(std::uint64_t bytes) {
  const auto& at = place(CgroupPart::memory);
  if (!at) return {};
  const auto text = std::to_string(bytes);
  const auto raised = bytes > memory_limit_;
  memory_limit_ = bytes;
  if (at->unified) {
    // Without this a process that eats memory would eat the machine's swap first.
    if (auto done = files_.write(at->folder / "memory.swap.max", "0"); !done && !is_missing(done))
      return done;
    return files_.write(at->folder / "memory.max", text);
  }
  // Memory with swap may never be less than memory. Kernels without swap accounting do not have it.
  const auto with_swap = [&]() -> Result<void> {
    auto done = files_.write(at->folder / "memory.memsw.limit_in_bytes", text);
    return is_missing(done) ? Result<void>{} : done;
  };
  if (raised)
    if (auto done = with_swap(); !done) return done;
  if (auto done = files_.write(at->folder / "memory.limit_in_bytes", text); !done) return done;
  return raised ? Result<void>{} : with_swap();
}

Result<void> Cgroup::limit_cpu(double cores) {
  const auto& at = place(CgroupPart::cpu);
  if (!at) return {};
  // The kernel takes no less than 1 ms.
  const auto quota = std::max<std::int64_t>(1'000, std::llround(cores * static_cast<double>(kCpuPeriod)));
  if (at->unified)
    return files_.write(at->folder / "cpu.max",
                        (cores > 0 ? std::to_string(quota) : "max") + " " + std::to_string(kCpuPeriod));
  if (auto done = files_.write(at->folder / "cpu.cfs_period_us", std::to_string(kCpuPeriod)); !done)
    return done;
  return files_.write(at->folder / "cpu.cfs_quota_us", cores > 0 ? std::to_string(quota) : "-1");
}

Result<void> Cgroup::weigh_cpu(unsigned weight) {
  const auto& at = place(CgroupPart::cpu);
  if (!at) return {};
  if (at->unified) return files_.write(at->folder / "cpu.weight", std::to_string(weight));
  // Version 1 calls 1024 what version 2 calls 100.
  return files_.write(at->folder / "cpu.shares", std::to_string(std::max(2U, weight * 1024 / 100)));
}

Result<void> Cgroup::hold_back_cpu(bool held_back) {
  const auto& at = place(CgroupPart::cpu);
  if (!at) return {};
  auto done = files_.write(at->folder / "cpu.idle", held_back ? "1" : "0");
  return is_missing(done) ? weigh_cpu(held_back ? 1 : 100) : done;
}

Result<void> Cgroup::limit_processes(std::uint64_t most) {
  const auto& at = place(CgroupPart::processes);
  if (!at) return {};
  return files_.write(at->folder / "pids.max", std::to_string(most));
}

Result<void> Cgroup::freeze(bool frozen) {
  const auto& at = place(CgroupPart::control);
  if (!at) return {};
  if (at->unified) return files_.write(at->folder / "cgroup.freeze", frozen ? "1" : "0");
  return files_.write(at->folder / "freezer.state", frozen ? "FROZEN" : "THAWED");
}

CgroupUsage Cgroup::usage() const {
  CgroupUsage usage;
  if (const auto& at = place(CgroupPart::memory)) {
    const auto& folder = at->folder;
    usage.memory = read_number(files_, folder / (at->unified ? "memory.current" : "memory.usage_in_bytes"));
    usage.memory_peak = read_number(files_, folder / (at->unified ? "memory.peak"  // Linux 5.19
                                                                  : "memory.max_usage_in_bytes"));
  }
  if (const auto& at = place(CgroupPart::processes))
    usage.processes = read_number(files_, at->folder / "pids.current");
  if (const auto& at = place(CgroupPart::cpu))
    usage.throttled = read_key(files_, at->folder / "cpu.stat", "nr_throttled");
  if (const auto& at = place(CgroupPart::cpu_time); at && at->unified) {
    if (const auto us = read_key(files_, at->folder / "cpu.stat", "usage_usec")) usage.cpu_ns = *us * 1'000;
  } else if (at) {
    usage.cpu_ns = read_number(files_, at->folder / "cpuacct.usage");
  }
  return usage;
}

std::uint64_t Cgroup::memory_kills() const {
  const auto& at = place(CgroupPart::memory);
  if (!at) return 0;
  return read_key(files_, at->folder / (at->unified ? "memory.events" : "memory.oom_control"), "oom_kill")
      .value_or(0);
}

std::uint64_t Cgroup::process_refusals() const {
  const auto& at = place(CgroupPart::processes);
  return at ? read_key(files_, at->folder / "pids.events", "max").value_or(0) : 0;
}

void Cgroup::kill_all() const {
  if (const auto& at = place(CgroupPart::control)) kill_group_members(files_, *at);
}

}  // namespace mayfly::sandbox
