// How often requests were refused before a function saw them.
#pragma once

#include <cstdint>
#include <map>
#include <system_error>

namespace mayfly::gateway {

/// Those to one function, by reason. Of one shard's thread. They are counted and not logged one by one: who
/// is refused a million times must not fill a log.
struct Refusals {
  std::map<std::error_code, std::uint64_t> by_reason;

  void add(const std::error_code& reason) { ++by_reason[reason]; }
};

}  // namespace mayfly::gateway
