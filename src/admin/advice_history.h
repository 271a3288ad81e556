// What the rules of advise/ are given, made of what the platform knows of a function.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "advise/history.h"
#include "base/clock.h"
#include "events/engine.h"
#include "meter/usage_tables.h"
#include "registry/function.h"

namespace mayfly::admin {

/// Histories are this long at most.
inline constexpr std::chrono::days kAdviceWindow{14};
/// Shorter ones are told by minutes, others by hours.
inline constexpr std::chrono::hours kAdviceMinutes{6};

/// What is known of one function, and since when its configuration is what it is.
struct AdviceSource {
  const registry::Function& function;
  const nlohmann::json& live;  ///< as of admin::Operations::live()
  WallTime now;
  std::uint64_t delivered = 0;  ///< invocations of it that were for events, at least, since the daemon began
  std::chrono::seconds utc_offset{0};
};

/// How many invocations the queues of a function have made at least: several events may share one.
[[nodiscard]] std::uint64_t invocations_of_events(const std::vector<events::QueueView>& queues);

/// From when on its usage counts: the first deployment of a version that has the main version's
/// configuration, of those that are kept, but at most kAdviceWindow ago. What was used under another
/// configuration says nothing of this one.
[[nodiscard]] WallTime advice_begin(const AdviceSource& source);

/// `rows` are apart by time, version and class; those of other functions, of versions with another
/// configuration and from before advice_begin() are left out.
[[nodiscard]] advise::History advice_history(const AdviceSource& source,
                                             std::span<const meter::UsageRow> rows,
                                             meter::Resolution resolution);

}  // namespace mayfly::admin
