#include "admin/tokens.h"

#include <algorithm>

#include "admin/errors.h"
#include "admin/token.h"
#include "base/credential.h"
#include "registry/source_store.h"
#include "store/schema.h"

namespace mayfly::admin {
namespace {

constexpr std::string_view kPrefix = "mayfly_";  // so that scanners of leaked secrets know it
constexpr std::size_t kMaxTokens = 1'000;

std::unexpected<Error> unknown(std::string_view name) {
  return fail(AdminErrc::unknown_token, "there is no token '" + std::string(name) + "'");
}

}  // namespace

Result<std::unique_ptr<Tokens>> Tokens::open(const std::filesystem::path& data, const Clock& clock) {
  auto database = store::Database::open(data / "mayfly.db");
  if (!database) return propagate(database);
  if (auto migrated = store::migrate(*database); !migrated) return propagate(migrated);
  std::unique_ptr<Tokens> tokens(new Tokens(std::move(*database), clock));
  if (auto loaded = tokens->load(); !loaded) return propagate(loaded);
  return tokens;
}

Result<void> Tokens::load() {
  return database_.query("SELECT hash, name, scopes, created, expires FROM tokens",
                         [this](const store::Row& row) {
                           TokenInfo info{.name = row.text(1),
                                          .scopes = static_cast<Scopes>(row.integer(2)),
                                          .created = WallTime(milliseconds(row.integer(3)))};
                           if (!row.is_null(4)) info.expires = WallTime(milliseconds(row.integer(4)));
                           by_hash_.emplace(row.text(0), std::move(info));
                         });
}

Result<std::string> Tokens::create(const std::string& name, Scopes scopes,
                                   std::optional<milliseconds> lifetime) {
  if (!is_credential_name(name))
    return fail(AdminErrc::invalid_body, "a token's name has 1 to 63 of a-z, 0-9, '-' and '_'");
  if (scopes == 0) return fail(AdminErrc::invalid_body, "a token needs a scope: read, invoke or deploy");
  if (get(name)) return fail(AdminErrc::token_exists, "there is a token '" + name + "'; revoke it first");
  if (by_hash_.size() >= kMaxTokens) return fail(AdminErrc::invalid_body, "there are 1000 tokens already");
  auto random = random_token();
  if (!random) return propagate(random);
  std::string token = std::string(kPrefix) + *random;
  const auto hash = registry::digest_of_text(token);
  TokenInfo info{.name = name, .scopes = scopes, .created = clock_.wall()};
  if (lifetime) info.expires = info.created + *lifetime;
  const int bits = scopes;
  auto kept = database_.run("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", name, hash, bits,
                            to_millis(info.created), info.expires.transform(to_millis));
  if (!kept) return propagate(kept);
  by_hash_.emplace(hash, std::move(info));
  return token;
}

Result<void> Tokens::revoke(const std::string& name) {
  const auto found = std::ranges::find(by_hash_, name, [](const auto& each) { return each.second.name; });
  if (found == by_hash_.end()) return unknown(name);
  auto gone = database_.run("DELETE FROM tokens WHERE name = ?", name);
  if (gone) by_hash_.erase(found);
  return gone;
}

std::vector<TokenInfo> Tokens::list() const {
  std::vector<TokenInfo> all;
  for (const auto& [hash, info] : by_hash_) all.push_back(info);
  std::ranges::sort(all, {}, &TokenInfo::name);
  return all;
}

Result<TokenInfo> Tokens::get(std::string_view name) const {
  for (const auto& [hash, info] : by_hash_)
    if (info.name == name) return info;
  return unknown(name);
}

Result<void> Tokens::check(std::string_view authorization, Scope needed) const {
  const auto given = bearer_token(authorization);
  const auto found =
      given.starts_with(kPrefix) ? by_hash_.find(registry::digest_of_text(given)) : by_hash_.end();
  if (found == by_hash_.end())
    return fail(
        AdminErrc::unauthorized,
        "send `Authorization: Bearer TOKEN`: one that `mayfly token create` printed, or that of the file "
        "admin-token of the data folder");
  const auto& info = found->second;
  if (info.expires && *info.expires <= clock_.wall())
    return fail(AdminErrc::unauthorized, "the token '" + info.name + "' has expired");
  if (has(info.scopes, needed)) return {};
  const std::string scope(scope_name(needed));
  return std::unexpected(Error{
      AdminErrc::missing_scope,
      needed == Scope::admin ? "this needs the admin token: no scope is enough"
                             : "the token '" + info.name + "' does not have the scope '" + scope + "'",
      {}}.with("scope", scope));
}

}  // namespace mayfly::admin
