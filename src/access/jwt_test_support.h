// An issuer of tokens made in a test.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>
#include <string>

#include "access/jwt.h"

namespace mayfly::access {

inline std::string base64url(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    for (count += 8; count >= 6;) text += kDigits[bits >> (count -= 6) & 63U];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63U];
  return text;
}

/// Signs with Ed25519.
class Issuer {
 public:
  explicit Issuer(std::string id)
      : id_(std::move(id)), key_(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), ::EVP_PKEY_free) {}

  [[nodiscard]] std::string jwk() const {
    std::string x(32, '\0');
    std::size_t size = x.size();
    EXPECT_EQ(::EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(x.data()), &size),
              1);
    return R"({"kty":"OKP","crv":"Ed25519","kid":")" + id_ + R"(","x":")" + base64url(x) + "\"}";
  }
  [[nodiscard]] std::string jwks() const { return R"({"keys":[)" + jwk() + "]}"; }
  [[nodiscard]] std::string header() const { return R"({"alg":"EdDSA","kid":")" + id_ + "\"}"; }
  [[nodiscard]] std::string sign(const std::string& claims) const { return sign(header(), claims); }
  [[nodiscard]] std::string sign(const std::string& header, const std::string& claims) const {
    const auto text = base64url(header) + "." + base64url(claims);
    const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(),
                                                                            ::EVP_MD_CTX_free);
    std::string signature(64, '\0');
    std::size_t size = signature.size();
    EXPECT_EQ(::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()), 1);
    EXPECT_EQ(::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                               reinterpret_cast<const unsigned char*>(text.data()), text.size()),
              1);
    return text + "." + base64url(signature);
  }

 private:
  std::string id_;
  std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key_;
};

}  // namespace mayfly::access
