#include "access/rule.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "registry/main_version.h"

namespace mayfly::access {
namespace {

using registry::Access;
using registry::Function;
using registry::JwtConfig;
using registry::Version;

Rule own_rule(const Version& version) {
  const auto& own = version.config;
  return {.access = own.access, .limit = own.rate_limit, .jwt = own.jwt};
}

/// The rule of a version that gets traffic, where `most` gets most of it.
Rule serving_rule(const Version& version, const Version& most) {
  Rule rule = own_rule(version);
  if (rule.access == Access::everyone) {
    rule.access = most.config.access;
    rule.jwt = most.config.jwt;
  }
  if (!rule.limit) rule.limit = most.config.rate_limit;
  return rule;
}

bool is_covered(const Rule& rule, const Function& function, const Version& most) {
  return std::ranges::any_of(function.traffic.weights, [&](const auto& weight) {
    const auto version = function.versions.find(weight.first);
    return version != function.versions.end() && covers(serving_rule(*version->second, most), rule);
  });
}

bool is_same_issuer(const JwtConfig& one, const JwtConfig& other) {
  return one.jwks == other.jwks && one.issuer == other.issuer && one.audience == other.audience;
}

bool wants(const JwtConfig& jwt, const std::string& scope) {
  return std::ranges::find(jwt.scopes, scope) != jwt.scopes.end();
}

/// So many a second as the slower of both allows, and no more at once than either.
std::optional<Rate> lower(const std::optional<Rate>& one, const std::optional<Rate>& other) {
  if (!one || !other) return one ? one : other;
  const auto product = [](const Rate& rate, const Rate& by) { return rate.count * by.period.count(); };
  Rate slower = product(*one, *other) <= product(*other, *one) ? *one : *other;
  slower.burst = std::min(one->burst, other->burst);
  return slower;
}

}  // namespace

bool covers(const Rule& now, const Rule& then) {
  if (now.access == Access::everyone) return true;
  if (now.access != then.access) return false;
  if (now.access == Access::key) return true;
  return is_same_issuer(now.jwt, then.jwt) &&
         std::ranges::all_of(now.jwt.scopes, [&](const auto& scope) { return wants(then.jwt, scope); });
}

Rule rule_of(const Function& function, const Version& version) {
  const auto& most = registry::main_version(function);
  if (most == nullptr) return own_rule(version);
  if (function.traffic.weights.contains(version.number)) return serving_rule(version, *most);
  Rule rule = own_rule(version);
  if (!is_covered(rule, function, *most)) {
    const auto own = std::exchange(rule.jwt, most->config.jwt);
    const bool had_tokens = std::exchange(rule.access, most->config.access) == Access::jwt;
    if (had_tokens && rule.access == Access::jwt && is_same_issuer(own, rule.jwt))
      std::ranges::copy_if(own.scopes, std::back_inserter(rule.jwt.scopes),
                           [&](const auto& scope) { return !wants(most->config.jwt, scope); });
  }
  rule.limit = lower(rule.limit, most->config.rate_limit);
  return rule;
}

}  // namespace mayfly::access
