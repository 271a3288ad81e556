// Verbs about what is made once, listed and revoked by its name: tokens of the admin plane, keys of
// functions.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mayfly::cli {

/// What differs between them.
struct CredentialKind {
  std::string noun;                  ///< "token"; the verb, too, and the member of answers that has the text
  std::string none;                  ///< what `list` says when there are none
  std::vector<std::string> columns;  ///< of `list`, between NAME and CREATED
  std::function<std::vector<std::string>(const nlohmann::json& item)> cells;  ///< for those columns
};

struct CredentialArguments {
  std::string action;
  std::string name;
  std::optional<std::string> expires;
};

/// Runs `action`: create, list or revoke. `more` gives what a create sends besides name and lifetime, or says
/// what is wrong with the arguments; it is called for a create alone.
[[nodiscard]] Result<int> run_credential_verb(Context& context, const CredentialKind& kind,
                                              const CredentialArguments& arguments,
                                              const std::function<Result<nlohmann::json>()>& more);

/// The texts of a list, with `between` between them.
[[nodiscard]] std::string joined(const nlohmann::json& texts, const std::string& between);

}  // namespace mayfly::cli
