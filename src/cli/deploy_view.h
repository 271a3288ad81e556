// What a deployment has brought about, for people: used by `deploy` and `dev`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/terminal.h"

namespace mayfly::cli {

/// The settings as they are typed: " --set access=key --set 'on.topic=a b'". `settings` is a list of texts.
[[nodiscard]] std::string as_options(const nlohmann::json& settings);

/// A line where the function that was replaced came from elsewhere; empty if it did not, or if that is not
/// known. `origin`: where this one comes from.
[[nodiscard]] std::string show_origin(const nlohmann::json& answer, const std::string& origin,
                                      const Output& output);

/// Lines about the settings that are not as in the version before: what is lost or weaker as a warning, with
/// what keeps it; the rest by name. Empty if there are none. `answer` is what the API says to a deploy.
/// `several`: of one project, so that an option would be for all of its functions.
[[nodiscard]] std::string show_changes(const nlohmann::json& answer, bool several, const Output& output);

}  // namespace mayfly::cli
