// Verbs that do one of several things: `mayfly queue pause hello`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::cli {

struct Action {
  std::string_view name;
  std::string_view takes;  ///< what help calls its names; empty: it takes none
  std::size_t least = 0;   ///< so many names it needs, …
  std::size_t most = 0;    ///< … and so many it takes
};

/// Whether a verb has this action, and it takes these names. Errors (usage) say what was perhaps meant.
[[nodiscard]] Result<void> check_action(const std::string& verb, std::span<const Action> actions,
                                        const std::string& action, const std::vector<std::string>& names);

}  // namespace mayfly::cli
