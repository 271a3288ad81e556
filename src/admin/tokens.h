// Named tokens: what they may do, until when, and the table that keeps their hashes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/scope.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace mayfly::admin {

struct TokenInfo {
  std::string name;
  Scopes scopes = 0;
  WallTime created;
  std::optional<WallTime> expires{};
};

/// Lives on the control thread. Every change is committed before it shows.
///
/// A token is 256 random bits, so that its SHA-256 can neither be turned back nor guessed: nothing slower is
/// needed, and looking the hash up tells nothing about the tokens that there are.
class Tokens {
 public:
  /// `data` is the data folder; `clock` outlives the tokens.
  [[nodiscard]] static Result<std::unique_ptr<Tokens>> open(const std::filesystem::path& data,
                                                            const Clock& clock);

  /// Makes one and gives its text, which is kept nowhere. Errors: invalid_body (name, scopes), token_exists.
  [[nodiscard]] Result<std::string> create(const std::string& name, Scopes scopes,
                                           std::optional<std::chrono::milliseconds> lifetime);
  /// Error: unknown_token.
  [[nodiscard]] Result<void> revoke(const std::string& name);
  /// By name, those that have expired too.
  [[nodiscard]] std::vector<TokenInfo> list() const;
  [[nodiscard]] Result<TokenInfo> get(std::string_view name) const;

  /// Whether an Authorization header's value is a token that may do this. Errors: unauthorized,
  /// missing_scope, which names it.
  [[nodiscard]] Result<void> check(std::string_view authorization, Scope needed) const;

 private:
  Tokens(store::Database database, const Clock& clock) : database_(std::move(database)), clock_(clock) {}
  [[nodiscard]] Result<void> load();

  store::Database database_;
  const Clock& clock_;
  std::map<std::string, TokenInfo, std::less<>> by_hash_;
};

}  // namespace mayfly::admin
