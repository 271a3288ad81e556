// Invocations, queues and their attempts for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/terminal.h"

namespace mayfly::cli {

/// A queue's name as it can be typed in a shell without quotes: "function:hello" is hello, "orders>mail" is
/// orders/mail. The daemon takes both.
[[nodiscard]] std::string short_queue(const std::string& name);
/// A state in its colour.
[[nodiscard]] std::string paint_state(const Output& output, const std::string& state);
/// What happened in an attempt, or why something failed: "ok", or its type and message.
[[nodiscard]] std::string show_outcome(const nlohmann::json& attempt);

/// A table of invocations, or of dead letters.
[[nodiscard]] std::string invocation_table(const nlohmann::json& invocations, const Output& output);
/// An event of a topic: its deliveries, one for each subscription that it is for.
[[nodiscard]] std::string show_event(const nlohmann::json& event, const Output& output);
/// One invocation (or an event with several deliveries, as show_event()): how it stands, what was accepted,
/// and a table of its attempts with their reasons.
[[nodiscard]] std::string show_invocation(const nlohmann::json& invocation, const Output& output);

}  // namespace mayfly::cli
