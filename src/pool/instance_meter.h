// What an instance uses, told apart by the invocations that use it.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "meter/meter.h"
#include "pool/invocation.h"

namespace mayfly::pool {

/// One invocation from its beginning in an instance until its handler is done.
struct MeteredRun {
  meter::UsageRecord record{};
  std::optional<meter::Outcome> outcome{};  ///< the first that was said
  MonotonicTime began{};
  std::uint64_t cpu_mark = 0;     ///< what InstanceMeter had shared out until then
  std::uint64_t memory_mark = 0;  ///< likewise
  std::uint64_t begins = 0;       ///< how many had begun, this one included

  void note(meter::Outcome what) {
    if (!outcome) outcome = what;
  }
};

/// The record of one that never ran.
[[nodiscard]] meter::UsageRecord unbegun(const Invocation& invocation, meter::Outcome outcome);

/// Belongs to one instance and its thread. Does nothing without an account.
///
/// The kernel says what the process has used (base/cpu_clock.h). It is asked when an invocation begins or
/// ends, once for all that do so in the same turn of the event loop; what it used between two such moments is
/// shared out in equal parts among those that ran, or was used beside invocations when none did. An
/// invocation that had the instance to itself has so what the kernel has counted; that it was not alone is in
/// its record.
///
/// A *serial* instance is sent more than runs: there all that was used goes to those that ended since the
/// last look, in equal parts; mostly that is one.
class InstanceMeter {
 public:
  /// `account` may be null, and is forgotten by close(). `reserved`: bytes that an invocation's memory is
  /// booked as. `inherited`: bytes of memory that it shares with its template.
  InstanceMeter(meter::UsageAccount* account, bool serial, std::uint64_t reserved, std::uint64_t inherited,
                MonotonicTime created)
      : account_(account),
        serial_(serial),
        reserved_kib_(reserved >> 10U),
        inherited_kib_(inherited >> 10U),
        created_(created),
        counted_(created),
        at_(created) {}

  /// The instance serves; it has told what it used until now, which counts where the kernel cannot be asked
  /// yet.
  void on_serving(pid_t pid, nanoseconds own, nanoseconds children, MonotonicTime now);
  /// An invocation is about to be given to the instance; `sent`: bytes.
  void begin(MeteredRun& run, const Invocation& invocation, std::size_t sent, pid_t pid, MonotonicTime now);
  /// When it really began, which a serial instance tells later.
  static void begun(MeteredRun& run, const Invocation& invocation);
  /// Its handler is done, or gone. `left`: so many are still in the instance.
  void end(MeteredRun& run, int left, pid_t pid, MonotonicTime now);
  /// One has left that never began: it is somebody else's.
  void take_back(int left, pid_t pid, MonotonicTime now);
  /// It never began, and nothing was used for it.
  void book_unbegun(const Invocation& invocation, meter::Outcome outcome);
  /// The instance says what children that it waited for have used so far.
  void note_children(nanoseconds children);
  /// All that came in this turn was looked at: what has ended is booked.
  void settle();
  /// What grew until now beside invocations.
  void bring_up_to_date(pid_t pid, MonotonicTime now);
  /// Its process has ended; the kernel's last word of what it used, children included. 0: unknown.
  void on_exited(nanoseconds all, MonotonicTime now);
  /// From now on the kernel is asked anew.
  void turn_ended() { fresh_ = false; }
  /// No more is booked.
  void close();

 private:
  void look(pid_t pid, MonotonicTime now);
  void pass(MonotonicTime now);
  void spend(std::uint64_t cpu);
  void look_at_memory(pid_t pid, MonotonicTime now);
  [[nodiscard]] bool believable(std::uint64_t cpu, MonotonicTime now) const;

  meter::UsageAccount* account_;
  const bool serial_;
  const std::uint64_t reserved_kib_;
  const std::uint64_t inherited_kib_;
  const MonotonicTime created_;
  MonotonicTime counted_;      // its time is booked until then
  MonotonicTime at_;           // when who runs was looked at last
  MonotonicTime looked_at_{};  // when the kernel was asked last
  bool fresh_ = false;         // in this turn the kernel was asked
  bool exited_ = false;        // it is not to be asked any more
  std::uint64_t running_ = 0;  // serial: at most one
  std::uint64_t begins_ = 0;
  std::uint64_t cpu_ = 0;            // ns of the process until the last look
  std::uint64_t children_ = 0;       // ns likewise
  std::uint64_t cpu_shared_ = 0;     // ns that one had that ran from the beginning on
  std::uint64_t cpu_left_ = 0;       // of divisions; serial: not given to anyone yet
  std::uint64_t memory_shared_ = 0;  // KiB µs, likewise
  std::uint64_t memory_kib_ = 0;     // at the last look
  std::uint64_t memory_before_ = 0;  // and at the one before
  MonotonicTime memory_at_{};
  std::vector<meter::UsageRecord> ended_;  // in this turn
};

}  // namespace mayfly::pool
