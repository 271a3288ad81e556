#include "registry/name.h"

#include <algorithm>
#include <string>

#include "registry/error.h"

namespace mayfly::registry {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || name[0] == '-' || name[0] == '_') return false;
  return std::ranges::all_of(name, [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '_'; });
}

constexpr const char* kRule =
    "lower-case letters, digits, '-' and '_', at most 63, beginning with a letter or digit";

}  // namespace

Result<void> check_function_name(std::string_view name) {
  // Paths of the data plane that are the platform's own.
  if (name == "topics")
    return fail(RegistryErrc::bad_name,
                "'topics' cannot be the name of a function: /topics/ is where events are published");
  if (name == "pipelines")
    return fail(RegistryErrc::bad_name,
                "'pipelines' cannot be the name of a function: /pipelines/ is where runs are started");
  if (is_name(name)) return {};
  return fail(RegistryErrc::bad_name,
              "'" + std::string(name.substr(0, 80)) + "' cannot be the name of a function: " + kRule);
}

Result<void> check_alias(std::string_view alias) {
  if (is_name(alias) && !std::ranges::all_of(alias, is_digit)) return {};
  return fail(RegistryErrc::bad_name, "'" + std::string(alias.substr(0, 80)) +
                                          "' cannot be an alias: " + kRule + ", and not a number");
}

}  // namespace mayfly::registry
