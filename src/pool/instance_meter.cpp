#include "pool/instance_meter.h"

#include <algorithm>
#include <thread>

#include "base/cpu_clock.h"
#include "pool/process_memory.h"

namespace mayfly::pool {
namespace {

/// Reading it takes some microseconds.
constexpr milliseconds kMemoryInterval{100};
/// Asking the kernel takes a third of a microsecond.
constexpr std::chrono::microseconds kSameMoment{100};

std::uint64_t ns(nanoseconds time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
}

}  // namespace

meter::UsageRecord unbegun(const Invocation& invocation, meter::Outcome outcome) {
  meter::UsageRecord record;
  record.invocation = invocation.id;
  record.attempt = invocation.attempt;
  record.outcome = outcome;
  record.started_ms = to_millis(std::chrono::system_clock::now());
  record.waiting_ns = ns(std::chrono::steady_clock::now() - invocation.accepted);
  return record;
}

/// What comes from the function's own process is no more than the machine could do.
bool InstanceMeter::believable(std::uint64_t cpu, MonotonicTime now) const {
  static const auto cores = std::max(1U, std::thread::hardware_concurrency());
  return cpu <= ns(now - created_ + milliseconds(100)) * cores;
}

/// CPU time that was used since the last look.
void InstanceMeter::spend(std::uint64_t cpu) {
  if (running_ == 0) {
    if (cpu > 0) account_->own().idle_cpu_ns += cpu;
    return;
  }
  cpu_left_ += cpu;
  if (serial_) return;
  cpu_shared_ += cpu_left_ / running_;
  cpu_left_ %= running_;
}

/// Time passes with those that run now.
void InstanceMeter::pass(MonotonicTime now) {
  const auto passed = ns(now - std::exchange(at_, std::max(at_, now)));
  if (running_ == 0) return;
  account_->own().busy_ns += passed;
  const auto before = memory_before_ > 0 ? memory_before_ : memory_kib_;
  memory_shared_ += (before + memory_kib_) / 2 * (passed / 1000) / running_;
  memory_before_ = memory_kib_;
}

void InstanceMeter::look(pid_t pid, MonotonicTime now) {
  pass(now);
  if (std::exchange(fresh_, true) || exited_) return;
  const auto cpu = cpu_time_of(pid);
  if (!cpu) return;
  looked_at_ = now;
  const auto all = ns(*cpu);
  if (all > cpu_) spend(all - std::exchange(cpu_, all));
}

void InstanceMeter::look_at_memory(pid_t pid, MonotonicTime now) {
  if (pid <= 0 || exited_ || (memory_kib_ > 0 && now - memory_at_ < kMemoryInterval)) return;
  const auto all = anonymous_memory(pid) >> 10U;
  memory_kib_ = std::max<std::uint64_t>(all - std::min(all, inherited_kib_), 1);
  memory_at_ = now;
}

void InstanceMeter::on_serving(pid_t pid, nanoseconds own, nanoseconds children, MonotonicTime now) {
  if (account_ == nullptr) return;
  const auto kernel = cpu_time_of(pid);
  cpu_ = kernel ? ns(*kernel) : (believable(ns(own), now) ? ns(own) : 0);
  children_ = believable(ns(children), now) ? ns(children) : 0;
  account_->own().init_cpu_ns += cpu_ + children_;
}

void InstanceMeter::begin(MeteredRun& run, const Invocation& invocation, std::size_t sent, pid_t pid,
                          MonotonicTime now) {
  run = {};
  if (account_ == nullptr) return;
  // Just after an end the kernel is not asked again: what the instance did since then was to wait for this
  // one.
  if (running_ == 0 && now - looked_at_ < kSameMoment)
    pass(now);
  else
    look(pid, now);
  look_at_memory(pid, now);
  memory_before_ = memory_kib_;
  running_ = serial_ ? 1 : running_ + 1;
  ++begins_;
  run.began = now;
  run.cpu_mark = cpu_shared_;
  run.memory_mark = memory_shared_;
  run.begins = begins_;
  run.record.invocation = invocation.id;
  run.record.attempt = invocation.attempt;
  run.record.shared = running_ > 1;
  run.record.waiting_ns = ns(now - invocation.accepted);
  run.record.init_ns = ns(invocation.start_cost);
  run.record.bytes_in = sent;
}

void InstanceMeter::begun(MeteredRun& run, const Invocation& invocation) {
  run.began = invocation.started;
  run.record.waiting_ns = ns(invocation.started - invocation.accepted);
}

void InstanceMeter::end(MeteredRun& run, int left, pid_t pid, MonotonicTime now) {
  if (account_ == nullptr || run.begins == 0) return;
  look_at_memory(pid, now);
  look(pid, now);
  auto& record = run.record;
  const auto wall = now - run.began;
  record.outcome = run.outcome.value_or(meter::Outcome::failed);
  record.wall_ns = ns(wall);
  record.reserved_kib_ms = reserved_kib_ * (record.wall_ns / 1000) / 1000;
  if (serial_) {
    record.memory_kib_ms = memory_kib_ * (record.wall_ns / 1000) / 1000;
  } else {
    record.cpu_ns = cpu_shared_ - run.cpu_mark;
    record.memory_kib_ms = (memory_shared_ - run.memory_mark) / 1000;
    record.shared = record.shared || begins_ != run.begins;
    --running_;
  }
  if (serial_ && left == 0) running_ = 0;
  const auto wall_clock = std::chrono::system_clock::now();
  record.started_ms = to_millis(wall_clock - std::chrono::duration_cast<WallTime::duration>(wall));
  ended_.push_back(record);
  run.begins = 0;
}

void InstanceMeter::take_back(int left, pid_t pid, MonotonicTime now) {
  if (account_ == nullptr || left > 0) return;
  look(pid, now);
  running_ = 0;
  spend(std::exchange(cpu_left_, 0));
}

void InstanceMeter::book_unbegun(const Invocation& invocation, meter::Outcome outcome) {
  if (account_ != nullptr) account_->add(unbegun(invocation, outcome));
}

void InstanceMeter::note_children(nanoseconds children) {
  if (account_ == nullptr || !believable(ns(children), at_) || ns(children) <= children_) return;
  const auto used = ns(children) - std::exchange(children_, ns(children));
  if (serial_ || ended_.empty()) {
    if (serial_ && !ended_.empty())
      cpu_left_ += used;
    else
      spend(used);
    return;
  }
  // Who waited for a child has mostly ended with it.
  const auto each = used / ended_.size();
  for (auto& record : ended_) record.cpu_ns += each;
  ended_.front().cpu_ns += used - each * ended_.size();
}

void InstanceMeter::settle() {
  if (account_ == nullptr || ended_.empty()) return;
  if (serial_) {
    const auto each = cpu_left_ / ended_.size();
    cpu_left_ -= each * ended_.size();
    for (auto& record : ended_) {
      record.cpu_ns += each;
      record.shared = ended_.size() > 1;
    }
  }
  for (const auto& record : ended_) account_->add(record);
  ended_.clear();
}

void InstanceMeter::bring_up_to_date(pid_t pid, MonotonicTime now) {
  if (account_ == nullptr) return;
  fresh_ = false;
  look(pid, now);
  account_->own().instance_ns += ns(now - std::exchange(counted_, now));
}

void InstanceMeter::on_exited(nanoseconds all, MonotonicTime now) {
  if (account_ == nullptr) return;
  pass(now);
  exited_ = true;  // its number may be another's
  if (believable(ns(all), now) && ns(all) > cpu_ + children_) spend(ns(all) - cpu_ - children_);
}

void InstanceMeter::close() {
  if (account_ == nullptr) return;
  settle();
  running_ = 0;
  spend(std::exchange(cpu_left_, 0));
  account_ = nullptr;
}

}  // namespace mayfly::pool
