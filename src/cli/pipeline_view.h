// Pipelines and their runs for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/terminal.h"

namespace mayfly::cli {

/// "code, typed, check, …"
[[nodiscard]] std::string step_names(const nlohmann::json& pipeline);
/// What starts runs besides requests: "topic orders, @daily"; "-": nothing.
[[nodiscard]] std::string triggers_of(const nlohmann::json& pipeline);

/// A page of runs, and how to get the next one.
[[nodiscard]] std::string run_table(const nlohmann::json& answer, const Output& output);
/// Where a run stands, drawn: a line for each step, those that were not reached yet included.
[[nodiscard]] std::string show_run(const nlohmann::json& run, const Output& output);

}  // namespace mayfly::cli
