#include "meter/usage.h"

#include <algorithm>

namespace mayfly::meter {

void Usage::add(const UsageRecord& record) {
  constexpr std::array kCounters{&Usage::answered, &Usage::failed, &Usage::timed_out, &Usage::cancelled,
                                 &Usage::rejected};
  ++invocations;
  ++(this->*kCounters.at(static_cast<std::size_t>(record.outcome)));
  if (record.attempt > 1) ++retries;
  if (record.shared) ++shared;
  wall_ns += record.wall_ns;
  waiting_ns += record.waiting_ns;
  init_ns += record.init_ns;
  cpu_ns += record.cpu_ns;
  memory_kib_ms += record.memory_kib_ms;
  reserved_kib_ms += record.reserved_kib_ms;
  bytes_in += record.bytes_in;
  bytes_out += record.bytes_out;
}

void Usage::add(const Usage& other) {
  for (const auto& field : kUsageFields) {
    auto& mine = this->*field.member;
    mine = field.is_maximum ? std::max(mine, other.*field.member) : mine + other.*field.member;
  }
}

}  // namespace mayfly::meter
