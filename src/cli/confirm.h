// Asking before something is done that cannot be undone.
#pragma once

#include <string>

#include "cli/verb.h"

namespace mayfly::cli {

/// Asks on the terminal: "QUESTION? [y/N] ". With `yes` it does not. Error (usage) if nobody is there to
/// answer: "nobody is here to confirm that WHAT: say --yes".
[[nodiscard]] Result<bool> confirmed(Context& context, bool yes, const std::string& question,
                                     const std::string& what);

}  // namespace mayfly::cli
