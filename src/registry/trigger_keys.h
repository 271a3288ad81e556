// The keys of [[functions.NAME.on]] and of [functions.NAME.async].
#pragma once

#include <string_view>

#include "registry/config_keys.h"

namespace mayfly::registry {

/// A trigger of the kind that a table is which has these keys. Error: it has none of the two, or both.
[[nodiscard]] Result<Trigger> make_trigger(bool has_topic, bool has_schedule);
/// Sets one key, `topic` and `schedule` among them. Errors as set_key()'s; one of the other kind's keys says
/// so.
[[nodiscard]] Result<void> set_trigger_key(Trigger& trigger, std::string_view key, const ConfigValue& value);
/// What no single key can tell; call when all are set.
[[nodiscard]] Result<void> check_trigger(const Trigger& trigger);
/// Whether its schedule, time zone or filter means something. Only at deploy: what is stored stays readable
/// when the system's time zones change. Reads files.
[[nodiscard]] Result<void> check_meaning(const Trigger& trigger);
/// Appends one that is complete: checks it, and that the function has it once.
[[nodiscard]] Result<void> add_trigger(FunctionConfig& config, Trigger trigger);

[[nodiscard]] Result<void> set_async_key(AsyncConfig& config, std::string_view key, const ConfigValue& value);
/// The last part of check_together(): all triggers, each (what they mean included) and together, and [async].
[[nodiscard]] Result<void> check_triggers(const FunctionConfig& config);

/// The settings `on.KEY=text` and `async.KEY=text`.
[[nodiscard]] Result<void> set_trigger_text(FunctionSpec& spec, std::string_view key, std::string_view text);
[[nodiscard]] Result<void> set_async_text(AsyncConfig& config, std::string_view key, std::string_view text);

}  // namespace mayfly::registry
