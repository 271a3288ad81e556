// Who may call a function now: asked by a shard for each request to a function that is not open to everyone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "access/key_set.h"
#include "access/key_table.h"
#include "access/rule.h"
#include "base/result.h"

namespace mayfly::access {

/// Bytes of a request's headers, "name\0value\0…".
struct Span {
  std::size_t begin = 0;
  std::size_t size = 0;
};

struct Admission {
  Span credential{};       ///< the field that is for us and not for the function; of size 0: none
  std::string identity{};  ///< "name\0value\0": fields for the function, who it is that calls
  std::string limits{};    ///< "name\0value\0…": fields for the answer, how often it may be called
};

/// Belongs to one shard's thread. What it knows comes in immutable tables, so that it asks nobody.
class Guard {
 public:
  explicit Guard(const Clock& clock)
      : clock_(clock), keys_(std::make_shared<const KeyTable>()), sets_(std::make_shared<const KeySets>()) {}

  /// A token names a key that is not there: asks for the set at this place to be read again. Called seldom.
  std::function<void(const std::string& location)> refresh;

  void publish(KeyTablePtr keys) { keys_ = std::move(keys); }
  void publish(KeySetsPtr sets) { sets_ = std::move(sets); }
  /// The function is deleted.
  void forget(std::string_view function);

  /// Errors, with details that become fields of the answer (www-authenticate, retry-after, ratelimit,
  /// ratelimit-policy): those of AccessErrc.
  [[nodiscard]] Result<Admission> admit(const Rule& rule, std::string_view function,
                                        std::string_view headers);
  /// Buckets that are kept, for figures and tests.
  [[nodiscard]] std::size_t buckets() const;

 private:
  /// Rates of one function.
  struct Counted {
    RateBucket all;
    std::unordered_map<std::string, RateBucket> by_key;
  };
  struct Caller {
    const Key* key = nullptr;
    Span credential{};
    std::string_view claims{};
  };
  [[nodiscard]] Result<Caller> identify(std::string_view function, std::string_view headers) const;
  [[nodiscard]] Result<Caller> believe(const registry::JwtConfig& wanted, std::string_view function,
                                       std::string_view headers);
  void ask_again(const std::string& location);
  [[nodiscard]] Result<void> count(const Rule& rule, std::string_view function, const Key* key,
                                   std::string& limits);
  RateBucket& bucket_of(Counted& counted, const std::string& key, MonotonicTime now);

  const Clock& clock_;
  KeyTablePtr keys_;
  KeySetsPtr sets_;
  std::map<std::string, MonotonicTime, std::less<>> asked_;  ///< when refresh() was called last
  std::map<std::string, Counted, std::less<>> counted_;
};

}  // namespace mayfly::access
