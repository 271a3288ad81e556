#include "access/jwt.h"

#include <gtest/gtest.h>

#include "access/base64url.h"
#include "access/error.h"
#include "access/jwt_test_support.h"

namespace mayfly::access {
namespace {

const registry::JwtConfig kWanted{.jwks = "/keys", .issuer = "https://issuer", .audience = "shop"};
constexpr WallTime kNow{std::chrono::seconds(1'700'000'000)};

/// The error's code, or none.
std::error_code outcome(std::string_view text, const KeySet& keys,
                        const registry::JwtConfig& wanted = kWanted) {
  const auto token = read_token(text);
  if (!token) return token.error().code;
  const auto good = verify_token(*token, keys, wanted, kNow);
  return good ? std::error_code() : good.error().code;
}

std::string claims(const std::string& more = R"("exp":1700000100)",
                   const std::string& issuer = "https://issuer", const std::string& audience = R"("shop")") {
  return R"({"iss":")" + issuer + R"(","aud":)" + audience + (more.empty() ? "" : "," + more) + "}";
}

struct JwtTest : testing::Test {
  Issuer issuer{"one"};
  KeySet keys = KeySet::parse(issuer.jwks()).value();
  [[nodiscard]] std::error_code of(const std::string& body) const { return outcome(issuer.sign(body), keys); }
};

TEST_F(JwtTest, AGoodTokenIsBelieved) {
  EXPECT_EQ(of(claims()), std::error_code());
  EXPECT_EQ(of(claims(R"("exp":1700000100.5,"nbf":1.6e9,"sub":"x")")), std::error_code());
  EXPECT_EQ(of(claims(R"("exp":1700000100)", "https://issuer", R"(["other","shop"])")), std::error_code());
  EXPECT_EQ(outcome(issuer.sign(R"({"alg":"EdDSA"})", claims()), keys), std::error_code())
      << "the only key of its kind";
}

TEST_F(JwtTest, TimesHaveALittleLeeway) {
  EXPECT_EQ(of(claims(R"("exp":1699999971)")), std::error_code());
  EXPECT_EQ(of(claims(R"("exp":1700000100,"nbf":1700000030)")), std::error_code());
  for (const auto* wrong :
       {R"("exp":1699999970)", R"("exp":0)", R"("exp":-1)", R"("exp":"1700000100")", R"("exp":null)", "",
        R"("exp":1700000100,"nbf":1700000031)", R"("exp":1700000100,"nbf":"0")"})
    EXPECT_EQ(of(claims(wrong)), AccessErrc::invalid_token) << wrong;
}

TEST_F(JwtTest, AllScopesThatAreWantedMustBeThere) {
  auto wanted = kWanted;
  wanted.scopes = {"read", "write:all"};
  const auto with = [&](const std::string& more) {
    return outcome(issuer.sign(claims(R"("exp":1700000100)" + more)), keys, wanted);
  };
  for (const auto* good : {R"(,"scope":"write:all other read")", R"(,"scp":["read","write:all"])",
                           R"(,"scp":"read write:all")", R"(,"scope":"read","scp":["write:all"])"})
    EXPECT_EQ(with(good), std::error_code()) << good;
  for (const auto* few :
       {"", R"(,"scope":"read")", R"(,"scope":"reads write:all")", R"(,"scope":"read,write:all")",
        R"(,"scp":["read write:all"])", R"(,"scope":null)", R"(,"scope":{"read":1,"write:all":1})"})
    EXPECT_EQ(with(few), AccessErrc::insufficient_scope) << few;
  EXPECT_EQ(outcome(issuer.sign(claims(R"("exp":1,"scope":"read")")), keys, wanted),
            AccessErrc::invalid_token)
      << "who may not come in at all is not told what more is wanted";
}

TEST_F(JwtTest, IssuerAndAudienceMustBeTheFunctions) {
  EXPECT_EQ(of(claims(R"("exp":1700000100)", "https://issuer/")), AccessErrc::invalid_token);
  for (const auto* audience : {R"("shop2")", R"([])", R"(["x"])", R"([["shop"]])", "null", R"({"shop":1})"})
    EXPECT_EQ(of(claims(R"("exp":1700000100)", "https://issuer", audience)), AccessErrc::invalid_token)
        << audience;
  EXPECT_EQ(of(R"({"exp":1700000100,"aud":"shop"})"), AccessErrc::invalid_token);
  EXPECT_EQ(of(R"({"exp":1700000100,"iss":"https://issuer"})"), AccessErrc::invalid_token);
}

TEST_F(JwtTest, ASignatureIsOfExactlyThisText) {
  const auto good = issuer.sign(claims());
  for (std::size_t at = 0; at < good.size(); at += 3) {
    auto changed = good;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_NE(outcome(changed, keys), std::error_code()) << at;
  }
  EXPECT_EQ(outcome(Issuer("one").sign(claims()), keys), AccessErrc::invalid_token)
      << "another's of the same name";
  const auto end = good.rfind('.') + 1;
  for (const auto& signature : {std::string(), good.substr(end, 84), good.substr(end) + "AAAA"})
    EXPECT_EQ(outcome(good.substr(0, end) + signature, keys), AccessErrc::invalid_token) << signature;
}

TEST_F(JwtTest, AlgorithmsThatAreNoneAreRefusedBeforeAnything) {
  for (const auto* name : {"none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS384", "RS512",
                           "PS256", "ES384", "ES512", "eddsa", ""}) {
    const auto header = R"({"alg":")" + std::string(name) + R"(","kid":"one"})";
    EXPECT_EQ(outcome(issuer.sign(header, claims()), keys), AccessErrc::invalid_token) << name;
    EXPECT_EQ(outcome(base64url(header) + "." + base64url(claims()) + ".", keys), AccessErrc::invalid_token)
        << name;
  }
  for (const auto* header :
       {R"({"kid":"one"})", R"({"alg":1,"kid":"one"})", R"({"alg":["EdDSA"],"kid":"one"})"})
    EXPECT_EQ(outcome(issuer.sign(header, claims()), keys), AccessErrc::invalid_token) << header;
}

TEST_F(JwtTest, AKeyIsUsedForItsOwnAlgorithmAlone) {
  for (const auto* name : {"RS256", "ES256"}) {
    const auto header = R"({"alg":")" + std::string(name) + R"(","kid":"one"})";
    EXPECT_EQ(outcome(issuer.sign(header, claims()), keys), AccessErrc::unknown_signer) << name;
  }
}

TEST_F(JwtTest, AWeakKeyIsNamedAsSuch) {
  const auto weak =
      R"({"kty":"RSA","kid":"weak","e":"AQAB","n":")" + base64url(std::string(128, '\xff')) + "\"}";
  const auto alone = KeySet::parse(R"({"keys":[)" + weak + "]}").value();
  EXPECT_EQ(alone.size(), 0U);
  EXPECT_TRUE(alone.why_none().contains("less than 2048 bits")) << alone.why_none();
  const auto set = KeySet::parse(R"({"keys":[)" + issuer.jwk() + "," + weak + "]}").value();
  EXPECT_EQ(set.size(), 1U);
  EXPECT_TRUE(set.is_weak("weak"));
  EXPECT_FALSE(set.is_weak("one"));
  const auto token = read_token(issuer.sign(R"({"alg":"RS256","kid":"weak"})", claims())).value();
  const auto refused = verify_token(token, set, {}, WallTime{});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("too weak"), std::string::npos) << refused.error().message;
}

TEST_F(JwtTest, AKeyThatIsNotKnownIsNamedAsSuch) {
  EXPECT_EQ(outcome(Issuer("two").sign(claims()), keys), AccessErrc::unknown_signer);
  const auto both = KeySet::parse(R"({"keys":[)" + issuer.jwk() + "," + Issuer("two").jwk() + "]}").value();
  EXPECT_EQ(outcome(issuer.sign(claims()), both), std::error_code());
  EXPECT_EQ(outcome(issuer.sign(R"({"alg":"EdDSA"})", claims()), both), AccessErrc::unknown_signer)
      << "which of two?";
}

TEST_F(JwtTest, WhatTwoReadersCouldTakeForTwoThingsIsRefused) {
  for (const auto* header :
       {R"({"alg":"EdDSA","kid":"one","alg":"EdDSA"})", R"({"alg":"EdDSA","kid":"one","kid":"one"})",
        R"({"alg":"EdDSA","kid":"one","crit":["b64"],"b64":false})",
        R"({"alg":"EdDSA","kid":"one","crit":[]})", R"({"alg":"EdDSA","kid":1})",
        R"({"alg":"EdDSA","kid":""})", R"([])", R"("EdDSA")", "", "{", "{}x"})
    EXPECT_EQ(outcome(issuer.sign(header, claims()), keys), AccessErrc::invalid_token) << header;
  for (const auto* body :
       {R"({"iss":"https://issuer","aud":"shop","exp":1700000100,"exp":1700000100})",
        R"({"iss":"https://issuer","aud":"shop","exp":1700000100,"a":{"b":1,"b":1}})",
        R"({"iss":"https://issuer","aud":"shop","exp":1700000100,"a":[{"b":1,"b":1}]})", "[]", "", "null"})
    EXPECT_EQ(of(body), AccessErrc::invalid_token) << body;
  EXPECT_EQ(
      of(R"({"iss":"https://issuer","aud":"shop","exp":1700000100,"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]})"),
      std::error_code())
      << "the same name in two objects is no repetition";
}

TEST_F(JwtTest, WhatIsNoTokenIsRefused) {
  const auto good = issuer.sign(claims());
  for (const auto& wrong : {std::string(), std::string("."), std::string(".."), std::string("..."),
                            good + ".", "." + good, good + "=", good + "\n", good.substr(0, good.rfind('.')),
                            std::string(kLongestToken + 1, 'A'), good + ".AAAA.AAAA"})
    EXPECT_EQ(outcome(wrong, keys), AccessErrc::invalid_token) << wrong;
  const auto nested = "{\"exp\":" + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_EQ(of(nested), AccessErrc::invalid_token);
}

TEST(Base64url, StandsForOneTextAlone) {
  EXPECT_EQ(decode_base64url(""), "");
  EXPECT_EQ(decode_base64url("_-8"), "\xff\xef");
  for (const auto* wrong : {"A", "AAAAA", "AA==", "AA=", "A+", "A/", "AB", "AAB", "A A", "AA\n"})
    EXPECT_FALSE(decode_base64url(wrong)) << wrong;
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string bytes(size, static_cast<char>(0xa5 + size));
    EXPECT_EQ(decode_base64url(base64url(bytes)), bytes);
  }
}

// --- Vectors of the standards

bool signature_is_good(const char* jwk, std::string_view text) {
  const auto keys = KeySet::parse(R"({"keys":[)" + std::string(jwk) + "]}");
  const auto token = read_token(text);
  if (!keys || !token) return false;
  const auto* key = keys->find("", token->algorithm);
  return key != nullptr && key->verifies(token->signed_text, token->signature);
}

constexpr const char* kRsaKey =
    R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})";
constexpr const char* kEcKey =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr const char* kEd25519Key =
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";
const std::string kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

TEST(Vectors, Rfc7515AppendixA2) {
  const auto token =
      "eyJhbGciOiJSUzI1NiJ9." + kClaims +
      ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
      "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
      "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
      "IoypGlUPQGe77Rw";
  EXPECT_TRUE(signature_is_good(kRsaKey, token));
  EXPECT_FALSE(signature_is_good(kRsaKey, "eyJhbGciOiJSUzI1NiJ9.e30" + token.substr(token.rfind('.'))));
}

TEST(Vectors, Rfc7515AppendixA3) {
  const auto token =
      "eyJhbGciOiJFUzI1NiJ9." + kClaims +
      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  EXPECT_TRUE(signature_is_good(kEcKey, token));
  EXPECT_FALSE(signature_is_good(kEcKey, "eyJhbGciOiJFUzI1NiJ9.e30" + token.substr(token.rfind('.'))));
}

TEST(Vectors, Rfc8037AppendixA4) {
  const std::string token =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
  EXPECT_TRUE(signature_is_good(kEd25519Key, token));
  EXPECT_FALSE(signature_is_good(kEd25519Key, "eyJhbGciOiJFZERTQSJ9.e30" + token.substr(token.rfind('.'))));
}

// --- Key sets

TEST(KeySet, TakesKeysThatItCanUseAndLeavesOthersOut) {
  const auto with = [](const char* key, const std::string& more) {
    std::string text = key;
    return text.insert(text.size() - 1, more);
  };
  const auto size = [](const std::string& keys) {
    const auto set = KeySet::parse(R"({"keys":[)" + keys + "]}");
    return set ? set->size() : 0U;
  };
  EXPECT_EQ(size(std::string(kRsaKey) + "," + kEcKey + "," + kEd25519Key), 3U);
  EXPECT_EQ(size(with(kEcKey, R"(,"use":"sig","alg":"ES256","key_ops":["verify"])")), 1U);
  for (const auto* more :
       {R"(,"use":"enc")", R"(,"alg":"ES384")", R"(,"key_ops":["sign"])", R"(,"key_ops":"verify")"})
    EXPECT_EQ(size(with(kEcKey, more)), 0U) << more;
  EXPECT_EQ(size(R"({"kty":"oct","k":"AAAA","kid":"x","alg":"HS256"})"), 0U) << "a shared secret";
  EXPECT_EQ(
      size(
          R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})"),
      0U)
      << "not on the curve";
  EXPECT_EQ(
      size(
          R"({"kty":"EC","crv":"P-384","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"),
      0U);
  EXPECT_EQ(size(R"({"kty":"RSA","e":"AQAB","n":")" + base64url(std::string(128, '\xff')) + "\"}"), 0U)
      << "too short";
  EXPECT_EQ(size(R"({"kty":"RSA","e":"AQAB","n":")" + base64url(std::string(4096, '\xff')) + "\"}"), 0U)
      << "too long";
  EXPECT_EQ(size(R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"), 0U);
  EXPECT_EQ(size("1,null,[],{}," + std::string(kEcKey)), 1U);
}

TEST(KeySet, ThatIsNone) {
  for (const auto* text :
       {"", "{}", "[]", R"({"keys":{}})", R"({"keys":null})", "<html>", R"({"keys":[],"keys":[]})"})
    EXPECT_EQ(KeySet::parse(text).error().code, AccessErrc::keys_unavailable) << text;
}

TEST(KeySet, WithoutKeysIsOne) {
  const Issuer issuer("one");
  for (const auto* text : {R"({"keys":[]})", R"({"keys":[{}]})", R"({"keys":[{"kty":"oct","k":"AAAA"}]})"}) {
    const auto set = KeySet::parse(text);
    ASSERT_TRUE(set) << text;
    EXPECT_EQ(set->size(), 0U);
    EXPECT_EQ(set->why_none(), "the key set has no key for RS256, ES256 or EdDSA");
    EXPECT_EQ(outcome(issuer.sign(claims()), *set), AccessErrc::unknown_signer);
  }
  EXPECT_EQ(KeySet::parse(issuer.jwks())->why_none(), "");
}

}  // namespace
}  // namespace mayfly::access
