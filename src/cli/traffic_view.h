// The answer of rollback and traffic: who gets how much.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/verb.h"

namespace mayfly::cli {

/// Prints {"name": …, "weights": {…}, "sticky": …}, as JSON or as a table of percentages.
void print_traffic(Context& context, const nlohmann::json& traffic);

}  // namespace mayfly::cli
