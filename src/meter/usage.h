// What was consumed: by one invocation (its usage record), and as sums of many.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "registry/function.h"

namespace mayfly::meter {

using registry::InvocationClass;

/// What became of an invocation.
enum class Outcome : std::uint8_t {
  answered,   ///< the handler gave an answer, whatever its status
  failed,     ///< it threw, or its instance ended
  timed_out,  ///< its deadline came, waiting or running
  cancelled,  ///< its caller left
  rejected,   ///< it was not taken: no room in the queue, or no instance could be made
};
inline constexpr std::array<std::string_view, 5> kOutcomes{"answered", "failed", "timed-out", "cancelled",
                                                           "rejected"};
[[nodiscard]] constexpr std::string_view text_of(Outcome outcome) {
  return kOutcomes.at(static_cast<std::size_t>(outcome));
}
[[nodiscard]] constexpr std::string_view text_of(InvocationClass which) {
  return which == InvocationClass::background ? "background" : "interactive";
}

/// Whose it is. Sums are kept for each.
struct UsageKey {
  std::string function;
  std::uint32_t version = 0;
  std::string tenant{};  ///< "": none
  InvocationClass invocation_class = InvocationClass::interactive;
  auto operator<=>(const UsageKey&) const = default;
};

/// One invocation, as it ended. Times are of the monotonic clock, but for `started_ms`.
struct UsageRecord {
  std::array<char, 32> invocation{};  ///< its id
  std::int64_t started_ms = 0;        ///< since 1970: when it began, or ended if it never did
  Outcome outcome = Outcome::answered;
  std::uint32_t attempt = 1;
  /// Others ran in its instance: the CPU time is its part of what they used together, in equal parts at each
  /// moment. False: its CPU time is what the kernel says that the instance used meanwhile.
  bool shared = false;
  std::uint64_t wall_ns = 0;          ///< from its beginning until its handler was done
  std::uint64_t waiting_ns = 0;       ///< from its acceptance until its beginning
  std::uint64_t init_ns = 0;          ///< of these, spent on making the instance (and its template)
  std::uint64_t cpu_ns = 0;           ///< user and system, children that were waited for, too
  std::uint64_t memory_kib_ms = 0;    ///< memory that its instance had of its own × time; its part if shared
  std::uint64_t reserved_kib_ms = 0;  ///< the memory that the version may use × time
  std::uint64_t bytes_in = 0;         ///< head and body of the request
  std::uint64_t bytes_out = 0;        ///< likewise of the answer
};

/// Sums. What belongs to no invocation (init, idle) is a version's own.
struct Usage {
  std::uint64_t invocations = 0;  ///< = the sum of the five below
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t rejected = 0;
  std::uint64_t retries = 0;  ///< of them, second and later attempts
  std::uint64_t shared = 0;   ///< of them, with CPU time that is a part of a sum
  std::uint64_t wall_ns = 0;  ///< divided by a length of time: how many ran at once, on average
  std::uint64_t waiting_ns = 0;
  std::uint64_t init_ns = 0;
  std::uint64_t cpu_ns = 0;  ///< of invocations
  std::uint64_t memory_kib_ms = 0;
  std::uint64_t reserved_kib_ms = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t starts = 0;       ///< instances that were made
  std::uint64_t instance_ns = 0;  ///< how long instances were there, busy or not
  std::uint64_t busy_ns = 0;      ///< of that, with an invocation in them
  std::uint64_t init_cpu_ns = 0;  ///< CPU of templates and instances until they served
  std::uint64_t idle_cpu_ns = 0;  ///< CPU of instances and templates beside invocations and init
  std::uint64_t peak = 0;         ///< the most invocations that ran at once; a maximum, no sum

  void add(const UsageRecord& record);
  void add(const Usage& other);
  /// All CPU time: what the kernel has in its books for the version's processes.
  [[nodiscard]] std::uint64_t total_cpu_ns() const { return cpu_ns + init_cpu_ns + idle_cpu_ns; }
  bool operator==(const Usage&) const = default;
};

/// A figure of Usage by its name: in the database, JSON and CSV.
struct UsageField {
  std::string_view name;
  std::uint64_t Usage::* member;
  bool is_maximum = false;
};
inline constexpr std::array<UsageField, 22> kUsageFields{{
    {"invocations", &Usage::invocations},
    {"answered", &Usage::answered},
    {"failed", &Usage::failed},
    {"timed_out", &Usage::timed_out},
    {"cancelled", &Usage::cancelled},
    {"rejected", &Usage::rejected},
    {"retries", &Usage::retries},
    {"shared", &Usage::shared},
    {"wall_ns", &Usage::wall_ns},
    {"waiting_ns", &Usage::waiting_ns},
    {"init_ns", &Usage::init_ns},
    {"cpu_ns", &Usage::cpu_ns},
    {"memory_kib_ms", &Usage::memory_kib_ms},
    {"reserved_kib_ms", &Usage::reserved_kib_ms},
    {"bytes_in", &Usage::bytes_in},
    {"bytes_out", &Usage::bytes_out},
    {"starts", &Usage::starts},
    {"instance_ns", &Usage::instance_ns},
    {"busy_ns", &Usage::busy_ns},
    {"init_cpu_ns", &Usage::init_cpu_ns},
    {"idle_cpu_ns", &Usage::idle_cpu_ns},
    {"peak", &Usage::peak, true},
}};
static_assert(sizeof(Usage) == kUsageFields.size() * sizeof(std::uint64_t));

/// What a shard hands over at once.
struct UsageBatch {
  /// Sums of one key, since the last batch.
  struct Sum {
    UsageKey key;
    Usage usage;
  };
  /// One of the records that the sums have in them.
  struct Single {
    UsageKey key;
    UsageRecord record;
  };
  std::int64_t began_ms = 0;  ///< since 1970: all of it is booked to the minute of this
  std::vector<Sum> sums;
  std::vector<Single> singles;   ///< not all: as many as are kept one by one
  std::uint64_t not_single = 0;  ///< records that are in the sums alone
};

}  // namespace mayfly::meter
