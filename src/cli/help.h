// Help, the manual page and the shells' completion, all made from the verbs' declarations.
#pragma once

#include <string>
#include <vector>

#include "cli/verb.h"

namespace mayfly::cli {

/// `mayfly --help`
[[nodiscard]] std::string overview(const std::vector<Verb>& verbs, const Output& output);
/// `mayfly VERB --help`
[[nodiscard]] std::string help_text(const Verb& verb, const Output& output);
/// mayfly(1), in roff.
[[nodiscard]] std::string manual(const std::vector<Verb>& verbs);
/// A script for "bash", "zsh" or "fish"; empty for another shell. Names of functions are asked of the
/// daemon when they are needed (`mayfly list --names`).
[[nodiscard]] std::string completion_script(const std::vector<Verb>& verbs, std::string_view shell);

/// "mayfly deploy [OPTIONS] PATH"
[[nodiscard]] std::string synopsis(const Verb& verb);

}  // namespace mayfly::cli
