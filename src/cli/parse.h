// The command line into a verb's arguments.
#pragma once

#include <string>
#include <vector>

#include "cli/verb.h"

namespace mayfly::cli {

struct Parsed {
  const Verb* verb = nullptr;  ///< null: no verb, `help` or `version` was asked for
  bool help = false;
  bool version = false;
};

/// Fills in the targets of the verb's arguments and, of the context, connection and json. `words` are
/// without the program's name. Errors (usage) name the argument and what was perhaps meant.
[[nodiscard]] Result<Parsed> parse(const std::vector<Verb>& verbs, const std::vector<std::string>& words,
                                   Context& context);

/// The arguments of a verb, with those that verbs share.
[[nodiscard]] std::vector<Argument> arguments_of(const Verb& verb, Context& context);

}  // namespace mayfly::cli
