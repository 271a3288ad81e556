// What a token may do. Each route of the admin API needs one scope: the table in scope.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::admin {

enum class Scope : std::uint8_t {
  read = 1,    ///< look at functions, logs, figures
  invoke = 2,  ///< call functions
  deploy = 4,  ///< make, change and delete functions
  admin = 8,   ///< tokens and whatever the table does not name: the admin token alone has it
};

/// A set of scopes, as the sum of their values.
using Scopes = std::uint8_t;
[[nodiscard]] constexpr bool has(Scopes scopes, Scope scope) {
  return (scopes & static_cast<Scopes>(scope)) != 0;
}

[[nodiscard]] std::string_view scope_name(Scope scope);
/// Of "read", "invoke" and "deploy"; none can be given that is called otherwise.
[[nodiscard]] std::optional<Scope> parse_scope(std::string_view name);
/// In the order read, invoke, deploy.
[[nodiscard]] std::vector<std::string> scope_names(Scopes scopes);

/// The scope that the route of this id needs.
[[nodiscard]] Scope scope_of(std::string_view route_id);

}  // namespace mayfly::admin
