// Fields of a request that only the platform gives: who calls, by which route, and where the function stands.
// Neither clients nor functions that call others are believed.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace mayfly::pool {

/// Whether a field is one of them. Also one with '_' for '-': in the variables of CGI and WSGI they are the
/// same. `name` in lower case.
[[nodiscard]] inline bool is_own_field(std::string_view name) {
  constexpr std::array<std::string_view, 7> kOwnFields{
      "x-forwarded-prefix", "mayfly-key",   "mayfly-jwt-claims",     "mayfly-run",
      "mayfly-pipeline",    "mayfly-route", "mayfly-path-parameters"};
  const auto same = [](char given, char wanted) {
    return given == wanted || (given == '_' && wanted == '-');
  };
  return std::ranges::any_of(kOwnFields,
                             [&](std::string_view own) { return std::ranges::equal(name, own, same); });
}

}  // namespace mayfly::pool
