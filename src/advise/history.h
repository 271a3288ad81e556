// What the rules are given: a function's metered past, its configuration and what things cost. Plain values;
// nothing here knows where they come from.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "meter/prices.h"

namespace mayfly::advise {

/// What invocations that ended in some span of time have used, added up. Times in seconds.
struct Bucket {
  std::chrono::sys_seconds start{};
  double length_s = 0;           ///< > 0: a minute, an hour, a day
  std::uint64_t requests = 0;    ///< every attempt at an invocation
  std::uint64_t failures = 0;    ///< of requests: whatever went wrong, the next two included
  std::uint64_t overdue = 0;     ///< of failures: the deadline passed
  std::uint64_t deaths = 0;      ///< of failures: the instance died (exit, signal, memory)
  std::uint64_t unattended = 0;  ///< of requests: nobody waited for the answer (events, schedules, async)
  std::uint64_t starts = 0;      ///< of requests: an instance or a template was started for it
  double wall_s = 0;             ///< running, waiting not included
  double waiting_s = 0;          ///< between acceptance and running
  double init_s = 0;             ///< of starts: until the function's code was loaded
  double cpu_s = 0;              ///< of requests: user and system, children too
  double other_cpu_s = 0;        ///< of starting and of being idle
  double gib_s = 0;              ///< memory that may be used, over time: GiB (2^30 bytes) times seconds
  double used_gib_s = 0;         ///< memory that was used, likewise
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

/// The function's calls to one other function, in the whole history.
struct Callee {
  std::string function;
  std::uint64_t calls = 0;
  double waited_s = 0;      ///< as the caller saw it
  bool work_known = false;  ///< the rest is; else it is all 0
  double wall_s = 0;        ///< what the callee ran for them
  double cpu_s = 0;         ///< what the callee used for them
  double gib_s = 0;         ///< the same, memory over time
};

/// The part of a function's configuration that the rules look at.
struct Configuration {
  double timeout_s = 10;
  double memory_gib = 0.125;  ///< the limit of one instance
  int concurrency = 1;        ///< invocations that one instance takes at once, ≥ 1
  int min_instances = 0;
  int max_instances = 64;
  bool background = false;    ///< class = "background"
  bool fresh_memory = false;  ///< isolation = "request"
  bool datasets = false;      ///< it lists some
};

struct History {
  std::string function;
  std::chrono::sys_seconds begin{};    ///< since when it is metered
  std::chrono::sys_seconds end{};      ///< until when; what no bucket covers in between was idle
  std::chrono::seconds utc_offset{0};  ///< of the place where it runs: what is night there
  std::vector<Bucket> buckets{};       ///< by time, not overlapping, within begin … end
  std::vector<Callee> callees{};
  bool calls_known = false;  ///< calls to other functions are recorded: none in `callees` means none
  bool shared = false;       ///< several at once in an instance: the figures are fair shares, not exact ones
  std::optional<double> instance_gib{};  ///< memory of one instance; unknown: the limit is reckoned with
  std::optional<double> template_gib{};  ///< memory of the template
  Configuration configuration{};
};

using meter::Prices;

}  // namespace mayfly::advise
