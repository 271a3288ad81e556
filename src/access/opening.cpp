#include "access/opening.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "access/rule.h"
#include "registry/error.h"

namespace mayfly::access {
namespace {

using registry::Access;
using registry::Function;
using registry::RegistryErrc;
using registry::Traffic;
using registry::Version;

/// A version, and what is asked of its callers.
struct Guarded {
  const Version* version;
  Rule rule;
};

std::string callers(const Rule& rule) {
  if (rule.access == Access::everyone) return "everyone";
  if (rule.access == Access::key) return "who sends a key";
  std::string text = "who sends a token of " + rule.jwt.issuer + " for " + rule.jwt.audience;
  for (const auto& scope : rule.jwt.scopes)
    text += (&scope == rule.jwt.scopes.data() ? " with " : ", ") + scope;
  return text;
}

std::unexpected<Error> refuse(const Guarded& now, const Guarded& then, const std::string& serves) {
  auto error = fail(RegistryErrc::opens_access,
                    now.version->address() + ' ' + serves + " now and lets in " + callers(now.rule) + "; " +
                        then.version->address() + " would let in " + callers(then.rule) +
                        ". If that is meant, say so: --open, or open=true in the query");
  error.error()
      .with("key", "access")
      .with("serves", now.version->address())
      .with("opens", then.version->address());
  return error;
}

/// The versions that serve, the one with the most traffic first.
std::vector<Guarded> serving(const Function& function) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> weights;  // weight, number
  for (const auto& [number, weight] : function.traffic.weights) weights.emplace_back(weight, number);
  std::ranges::sort(weights, std::greater{});
  std::vector<Guarded> all;
  for (const auto& [weight, number] : weights) {
    const auto& version = *function.versions.at(number);
    all.push_back({&version, rule_of(function, version)});
  }
  return all;
}

}  // namespace

Result<void> check_traffic(const Function& function, const Traffic& then) {
  auto changed = function;
  changed.traffic = then;
  std::erase_if(changed.traffic.weights, [](const auto& weight) { return weight.second == 0; });
  for (const auto& [number, weight] : changed.traffic.weights)
    if (!function.versions.contains(number)) return {};
  const auto now = serving(function);
  for (const auto& guarded : serving(changed)) {
    const bool is_covered =
        std::ranges::any_of(now, [&](const Guarded& each) { return covers(each.rule, guarded.rule); });
    if (!is_covered) return refuse(now.front(), guarded, "serves");
  }
  return {};
}

Result<void> check_alias(const Function& function, const std::string& alias, std::uint32_t number) {
  const auto found = function.aliases.find(alias);
  const auto wanted = function.versions.find(number);
  if (found == function.aliases.end() || wanted == function.versions.end()) return {};
  const auto& version = *function.versions.at(found->second);
  const Guarded now{&version, rule_of(function, version)};
  const Guarded then{wanted->second.get(), rule_of(function, *wanted->second)};
  if (covers(now.rule, then.rule)) return {};
  return refuse(now, then, "is '" + alias + "'");
}

}  // namespace mayfly::access
