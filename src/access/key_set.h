// The keys of an issuer of tokens: a JSON Web Key Set (RFC 7517, 7518, 8037).
#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::access {

/// What signs a token (RFC 7518, section 3.1; RFC 8037). Nothing with a shared secret, and not "none".
enum class Algorithm { rs256, es256, eddsa };
[[nodiscard]] std::optional<Algorithm> parse_algorithm(std::string_view name);

/// A public key. Its algorithm follows from what it is, and never from what a token says.
class VerificationKey {
 public:
  VerificationKey(std::string id, Algorithm algorithm, std::shared_ptr<EVP_PKEY> key)
      : id_(std::move(id)), algorithm_(algorithm), key_(std::move(key)) {}

  [[nodiscard]] const std::string& id() const { return id_; }  ///< `kid`; "" if it has none
  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  /// Whether it made this signature, in the form of JWS. From any thread.
  [[nodiscard]] bool verifies(std::string_view signed_text, std::string_view signature) const;

 private:
  std::string id_;
  Algorithm algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

class KeySet {
 public:
  /// Keys that are for something else, or of a kind that is not known, are left out; so is what is too weak
  /// (RSA below 2048 bits). None may be left: an issuer that withdraws all of its keys. An error when it is
  /// no key set.
  [[nodiscard]] static Result<KeySet> parse(std::string_view json);

  /// The key of that name and kind. For a token without `kid` the only one of that kind. Null: there is none.
  [[nodiscard]] const VerificationKey* find(std::string_view id, Algorithm algorithm) const;
  /// Whether a key of that name was left out because it is too weak.
  [[nodiscard]] bool is_weak(std::string_view id) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  /// Why no key is left; "" when there are some.
  [[nodiscard]] std::string_view why_none() const;

 private:
  std::vector<VerificationKey> keys_;
  std::vector<std::string> weak_;  // the names of those
};

/// By the place that they come from, as functions name it.
using KeySets = std::map<std::string, std::shared_ptr<const KeySet>, std::less<>>;
using KeySetsPtr = std::shared_ptr<const KeySets>;

}  // namespace mayfly::access
