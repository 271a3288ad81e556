#include "access/key_set.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <optional>

#include "access/base64url.h"
#include "access/error.h"
#include "access/json_object.h"

namespace mayfly::access {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxKeys = 100;
constexpr std::size_t kEcBytes = 32;
constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 8192;  // more is slow to verify: it would be the daemon's time

template <class T, void (*Release)(T*)>
struct Releaser {
  void operator()(T* thing) const { Release(thing); }
};
using BigNumber = std::unique_ptr<BIGNUM, Releaser<BIGNUM, ::BN_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Releaser<ECDSA_SIG, ::ECDSA_SIG_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Releaser<EVP_PKEY_CTX, ::EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Releaser<EVP_MD_CTX, ::EVP_MD_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Releaser<OSSL_PARAM_BLD, ::OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Releaser<OSSL_PARAM, ::OSSL_PARAM_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string bytes_member(const json& object, const char* name) {
  return decode_base64url(text_member(object, name)).value_or("");
}

std::shared_ptr<EVP_PKEY> shared(EVP_PKEY* key) {
  return key == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(key, ::EVP_PKEY_free);
}

/// A public key of OpenSSL's from its parts, checked as OpenSSL does (a point that is on its curve).
std::shared_ptr<EVP_PKEY> build(const char* type, const Builder& builder) {
  const Params params(::OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext making(::EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (!params || !making || ::EVP_PKEY_fromdata_init(making.get()) != 1 ||
      ::EVP_PKEY_fromdata(making.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  auto key = shared(made);
  const KeyContext checking(::EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr));
  if (!checking || ::EVP_PKEY_public_check(checking.get()) != 1) return nullptr;
  return key;
}

std::shared_ptr<EVP_PKEY> rsa_key(const json& jwk) {
  const auto modulus = bytes_member(jwk, "n");
  const auto exponent = bytes_member(jwk, "e");
  if (modulus.empty() || exponent.empty() || exponent.size() > 8) return nullptr;
  const BigNumber n(::BN_bin2bn(bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const BigNumber e(::BN_bin2bn(bytes_of(exponent), static_cast<int>(exponent.size()), nullptr));
  if (!n || !e || ::BN_num_bits(n.get()) < kLeastRsaBits || ::BN_num_bits(n.get()) > kMostRsaBits)
    return nullptr;
  const Builder builder(::OSSL_PARAM_BLD_new());
  if (!builder || ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return nullptr;
  return build("RSA", builder);
}

std::shared_ptr<EVP_PKEY> ec_key(const json& jwk) {
  const auto x = bytes_member(jwk, "x");
  const auto y = bytes_member(jwk, "y");
  if (text_member(jwk, "crv") != "P-256" || x.size() != kEcBytes || y.size() != kEcBytes) return nullptr;
  const auto point = "\x04" + x + y;  // uncompressed (SEC 1, section 2.3.3)
  const Builder builder(::OSSL_PARAM_BLD_new());
  if (!builder ||
      ::OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      ::OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
    return nullptr;
  return build("EC", builder);
}

std::shared_ptr<EVP_PKEY> ed25519_key(const json& jwk) {
  const auto x = bytes_member(jwk, "x");
  if (text_member(jwk, "crv") != "Ed25519" || x.size() != 32) return nullptr;
  return shared(::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
}

/// `use`, `key_ops` and `alg` may say that a key is for something else (RFC 7517, section 4).
bool is_for_verifying(const json& jwk, std::string_view algorithm) {
  const auto use = text_member(jwk, "use");
  const auto named = text_member(jwk, "alg");
  if (!use.empty() && use != "sig") return false;
  if (!named.empty() && named != algorithm) return false;
  const auto operations = jwk.find("key_ops");
  return operations == jwk.end() ||
         (operations->is_array() && std::ranges::find(*operations, json("verify")) != operations->end());
}

bool is_weak_rsa(const json& jwk) {
  if (!jwk.is_object() || text_member(jwk, "kty") != "RSA") return false;
  const auto modulus = bytes_member(jwk, "n");
  const BigNumber n(::BN_bin2bn(bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  return n && !::BN_is_zero(n.get()) && ::BN_num_bits(n.get()) < kLeastRsaBits;
}

std::optional<VerificationKey> read_key(const json& jwk) {
  if (!jwk.is_object()) return std::nullopt;
  struct Kind {
    std::string_view type;
    std::string_view name;
    Algorithm algorithm;
    std::shared_ptr<EVP_PKEY> (*read)(const json&);
  };
  static constexpr std::array<Kind, 3> kKinds{{{"RSA", "RS256", Algorithm::rs256, rsa_key},
                                               {"EC", "ES256", Algorithm::es256, ec_key},
                                               {"OKP", "EdDSA", Algorithm::eddsa, ed25519_key}}};
  const auto* const kind = std::ranges::find(kKinds, text_member(jwk, "kty"), &Kind::type);
  if (kind == kKinds.end() || !is_for_verifying(jwk, kind->name)) return std::nullopt;
  auto key = kind->read(jwk);
  ::ERR_clear_error();
  if (!key) return std::nullopt;
  return VerificationKey(text_member(jwk, "kid"), kind->algorithm, std::move(key));
}

/// JWS has the two numbers of an ECDSA signature one behind the other; OpenSSL wants them as ASN.1.
std::string as_der(std::string_view signature) {
  if (signature.size() != 2 * kEcBytes) return {};
  const Signature parts(::ECDSA_SIG_new());
  BigNumber r(::BN_bin2bn(bytes_of(signature), kEcBytes, nullptr));
  BigNumber s(::BN_bin2bn(bytes_of(signature) + kEcBytes, kEcBytes, nullptr));
  if (!parts || !r || !s || ::ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  unsigned char* der = nullptr;
  const int size = ::i2d_ECDSA_SIG(parts.get(), &der);
  if (size <= 0) return {};
  std::string text(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  ::OPENSSL_free(der);
  return text;
}

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view name) {
  if (name == "RS256") return Algorithm::rs256;
  if (name == "ES256") return Algorithm::es256;
  if (name == "EdDSA") return Algorithm::eddsa;
  return std::nullopt;
}

bool VerificationKey::verifies(std::string_view signed_text, std::string_view signature) const {
  const auto der = algorithm_ == Algorithm::es256 ? as_der(signature) : std::string(signature);
  const auto* digest = algorithm_ == Algorithm::eddsa ? nullptr : ::EVP_sha256();
  const DigestContext context(::EVP_MD_CTX_new());
  if (der.empty() || !context) return false;
  const bool good = ::EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
                    ::EVP_DigestVerify(context.get(), bytes_of(der), der.size(), bytes_of(signed_text),
                                       signed_text.size()) == 1;
  ::ERR_clear_error();
  return good;
}

Result<KeySet> KeySet::parse(std::string_view text) {
  const auto wrong = [](const char* why) { return fail(AccessErrc::keys_unavailable, why); };
  const auto object = parse_object(text);
  const auto listed = object ? object->find("keys") : json::const_iterator();
  if (!object || listed == object->end() || !listed->is_array()) return wrong("this is no JSON Web Key Set");
  if (listed->size() > kMaxKeys) return wrong("a key set has at most 100 keys");
  KeySet set;
  for (const auto& jwk : *listed) {
    if (auto key = read_key(jwk))
      set.keys_.push_back(std::move(*key));
    else if (is_weak_rsa(jwk))
      set.weak_.push_back(text_member(jwk, "kid"));
  }
  return set;
}

std::string_view KeySet::why_none() const {
  if (!keys_.empty()) return {};
  if (!weak_.empty()) return "the key set has none but RSA keys of less than 2048 bits, which are too weak";
  return "the key set has no key for RS256, ES256 or EdDSA";
}

bool KeySet::is_weak(std::string_view id) const { return std::ranges::find(weak_, id) != weak_.end(); }

const VerificationKey* KeySet::find(std::string_view id, Algorithm algorithm) const {
  const VerificationKey* found = nullptr;
  for (const auto& key : keys_) {
    if (key.algorithm() != algorithm || (!id.empty() && key.id() != id)) continue;
    if (found != nullptr) return nullptr;  // which one?
    found = &key;
  }
  return found;
}

}  // namespace mayfly::access
