#include "access/guard.h"

#include <algorithm>

#include "access/credential.h"
#include "access/error.h"
#include "access/jwt.h"
#include "base/fields.h"

namespace mayfly::access {
namespace {

using registry::Access;

/// Buckets are looked through for those that are full again when there are so many more.
constexpr std::size_t kSweep = 256;

/// Who sends tokens with made-up keys makes no work of it.
constexpr auto kBetweenRefreshes = std::chrono::seconds(5);

std::string challenge(std::string_view function, std::string_view error, std::string_view why) {
  std::string text = "Bearer realm=\"";
  text += function;
  text += '"';
  if (!error.empty())
    text.append(", error=\"").append(error).append("\", error_description=\"").append(why) += '"';
  return text;
}

/// RFC 6750, section 3.1: a request without a credential is told nothing but that it needs one.
std::unexpected<Error> refuse(AccessErrc code, std::string_view function, std::string_view error,
                              const std::string& why) {
  auto refused = fail(code, why);
  refused.error().with("www-authenticate", challenge(function, error, why));
  return refused;
}

/// With all scopes that are wanted, so that the caller can ask its issuer for them.
std::unexpected<Error> refuse_scope(std::string_view function, const std::vector<std::string>& wanted,
                                    const Error& error) {
  std::string scopes;
  for (const auto& scope : wanted) scopes.append(scopes.empty() ? "" : " ").append(scope);
  auto refused = fail(AccessErrc::insufficient_scope, error.message);
  refused.error().with("www-authenticate", challenge(function, "insufficient_scope", error.message) +
                                               ", scope=\"" + scopes + '"');
  return refused;
}

std::int64_t seconds(milliseconds time) { return std::chrono::ceil<std::chrono::seconds>(time).count(); }

/// draft-ietf-httpapi-ratelimit-headers-10: one item for each policy, by name.
struct LimitFields {
  std::string policy;
  std::string state;

  void add(std::string_view name, const Rate& rate, const RateBucket::Verdict& verdict) {
    const auto item = [name](std::string& text) -> std::string& {
      return text.append(text.empty() ? "\"" : ", \"").append(name).append("\"");
    };
    item(policy)
        .append(";q=")
        .append(std::to_string(rate.count))
        .append(";w=")
        .append(std::to_string(rate.period.count()));
    item(state)
        .append(";r=")
        .append(std::to_string(verdict.left))
        .append(";t=")
        .append(std::to_string(seconds(verdict.allowed ? verdict.restored : verdict.wait)));
  }
};

std::unexpected<Error> too_many(const LimitFields& fields, const Rate& rate, milliseconds wait,
                                const std::string& whose) {
  auto refused = fail(AccessErrc::rate_limited, whose + " is limited to " + format_rate(rate));
  refused.error()
      .with("limit", format_rate(rate))
      .with("retry-after", std::to_string(std::max<std::int64_t>(1, seconds(wait))))
      .with("ratelimit-policy", fields.policy)
      .with("ratelimit", fields.state);
  return refused;
}

}  // namespace

void Guard::forget(std::string_view function) {
  if (const auto found = counted_.find(function); found != counted_.end()) counted_.erase(found);
}

Result<Admission> Guard::admit(const Rule& rule, std::string_view function, std::string_view headers) {
  Caller caller;
  if (rule.access != Access::everyone) {
    auto known =
        rule.access == Access::key ? identify(function, headers) : believe(rule.jwt, function, headers);
    if (!known) return propagate(known);
    caller = *known;
  }
  Admission admission{.credential = caller.credential};
  if (caller.key != nullptr) append_field(admission.identity, kKeyField, caller.key->name);
  if (!caller.claims.empty()) append_field(admission.identity, kClaimsField, caller.claims);
  if (auto counted = count(rule, function, caller.key, admission.limits); !counted) return propagate(counted);
  return admission;
}

Result<Guard::Caller> Guard::identify(std::string_view function, std::string_view headers) const {
  const auto given = find_key_credential(headers);
  if (given.several)
    return refuse(AccessErrc::two_credentials, function, "invalid_request",
                  "one key is enough: in Authorization or in X-API-Key");
  if (given.text.empty())
    return refuse(AccessErrc::key_needed, function, "",
                  "send a key: `Authorization: Bearer mf_...` or `X-API-Key: mf_...`");
  const Key* key = keys_->find(given.text);
  if (key == nullptr || (key->expires && *key->expires <= clock_.wall()))
    return refuse(AccessErrc::invalid_key, function, "invalid_token",
                  key == nullptr ? "the key is not known" : "the key has expired");
  if (!key->is_for(function))
    return refuse(AccessErrc::key_not_allowed, function, "insufficient_scope",
                  "the key '" + key->name + "' is not for this function");
  return Caller{.key = key, .credential = given.field};
}

/// A token is not taken off the request: the function may need it to ask others in the caller's name.
Result<Guard::Caller> Guard::believe(const registry::JwtConfig& wanted, std::string_view function,
                                     std::string_view headers) {
  const auto given = find_token_credential(headers);
  if (given.several)
    return refuse(AccessErrc::two_credentials, function, "invalid_request", "one Authorization is enough");
  if (given.text.empty())
    return refuse(AccessErrc::token_needed, function, "", "send a token: `Authorization: Bearer TOKEN`");
  const auto refused = [&](const Error& error) {
    if (error.code == AccessErrc::insufficient_scope) return refuse_scope(function, wanted.scopes, error);
    return refuse(static_cast<AccessErrc>(error.code.value()), function, "invalid_token", error.message);
  };
  const auto token = read_token(given.text);
  if (!token) return refused(token.error());
  const auto keys = sets_->find(wanted.jwks);
  if (keys == sets_->end()) {
    auto later = fail(AccessErrc::keys_unavailable, "the issuer's keys could not be read");
    later.error().with("retry-after", "5");
    return later;
  }
  if (const auto good = verify_token(*token, *keys->second, wanted, clock_.wall()); !good) {
    if (good.error().code == AccessErrc::unknown_signer) ask_again(wanted.jwks);
    return refused(good.error());
  }
  return Caller{.claims = token->claims};
}

void Guard::ask_again(const std::string& location) {
  const auto now = clock_.now();
  const auto [found, first] = asked_.try_emplace(location, now);
  if (!first && now - found->second < kBetweenRefreshes) return;
  found->second = now;
  if (refresh) refresh(location);
}

/// The key's rate first: what it is refused takes nothing of what others may use.
Result<void> Guard::count(const Rule& rule, std::string_view function, const Key* key, std::string& limits) {
  const auto rate = key != nullptr ? key->rate : std::nullopt;
  if (!rate && !rule.limit) return {};
  auto found = counted_.find(function);
  if (found == counted_.end()) found = counted_.emplace(std::string(function), Counted{}).first;
  const auto now = clock_.now();
  LimitFields fields;
  if (rate) {
    const auto verdict = bucket_of(found->second, key->name, now).take(*rate, now);
    fields.add("key", *rate, verdict);
    if (!verdict.allowed) return too_many(fields, *rate, verdict.wait, "the key '" + key->name + "'");
  }
  if (rule.limit) {
    const auto verdict = found->second.all.take(*rule.limit, now);
    fields.add("function", *rule.limit, verdict);
    if (!verdict.allowed) return too_many(fields, *rule.limit, verdict.wait, "the function");
  }
  append_field(limits, "ratelimit-policy", fields.policy);
  append_field(limits, "ratelimit", fields.state);
  return {};
}

/// A bucket that is full again is as good as none: they are let go from time to time, so that there are never
/// many more than keys in use.
RateBucket& Guard::bucket_of(Counted& counted, const std::string& key, MonotonicTime now) {
  const auto found = counted.by_key.find(key);
  if (found != counted.by_key.end()) return found->second;
  if (counted.by_key.size() % kSweep == kSweep - 1)
    std::erase_if(counted.by_key, [&](const auto& each) { return each.second.idle(now); });
  return counted.by_key[key];
}

std::size_t Guard::buckets() const {
  std::size_t all = 0;
  for (const auto& [name, counted] : counted_) all += 1 + counted.by_key.size();
  return all;
}

}  // namespace mayfly::access
