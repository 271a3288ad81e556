// What a new version sets differently from the one in service: said at each deploy, since a setting that was
// given on the command line once is easily forgotten the next time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/function.h"

namespace mayfly::registry {

enum class ChangeKind {
  added,     ///< was left to its default, and is set now; or a list or trigger has more than before
  changed,   ///< was set, and is set otherwise
  lost,      ///< was set, and is not any more: a variable, a secret, a trigger, or back to the default
  weakened,  ///< less is forbidden than before: access, network, isolation
};
[[nodiscard]] std::string_view name_of(ChangeKind kind);
/// Whether people should look at it before they go on.
[[nodiscard]] constexpr bool is_warning(ChangeKind kind) { return kind >= ChangeKind::lost; }

struct Change {
  std::string key;  ///< "access", "env.STAGE", "on.topic=orders"
  ChangeKind kind = ChangeKind::changed;
  std::string before{};  ///< as a setting has it; "": not there. Values of variables are never shown
  std::string after{};
  std::vector<std::string> keep{};  ///< settings, in this order, with which it stays as it was
  bool operator==(const Change&) const = default;
};

/// By key. What has its default in both is no change, nor what is the same in both.
[[nodiscard]] std::vector<Change> changes_between(const FunctionConfig& before, const FunctionConfig& after);

}  // namespace mayfly::registry
