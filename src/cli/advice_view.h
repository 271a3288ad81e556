// Advice as text.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/terminal.h"

namespace mayfly::cli {

/// One function of GET /v1/advice: what was looked at, and each finding with its figures. `currency`: of its
/// costs.
void show_advice(Output& out, const nlohmann::json& function, const std::string& currency);

}  // namespace mayfly::cli
