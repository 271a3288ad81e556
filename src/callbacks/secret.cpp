#include "callbacks/secret.h"

#include <sodium.h>

#include <array>

#include "base/private_file.h"
#include "cloudevents/base64.h"

namespace mayfly::callbacks {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr std::size_t kFewestBytes = 24;
constexpr std::size_t kMostBytes = 64;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Result<Secret> Secret::parse(std::string_view text) {
  Secret secret;
  secret.text_ = text;
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  secret.bytes_ = cloudevents::decode_base64(text).value_or("");
  if (secret.bytes_.size() < kFewestBytes || secret.bytes_.size() > kMostBytes)
    return fail(std::make_error_code(std::errc::invalid_argument),
                "a secret for callbacks is 'whsec_' and base64 of 24 to 64 bytes");
  return secret;
}

Result<Secret> Secret::load_or_create(const std::filesystem::path& folder) {
  const auto file = folder / "callback-secret";
  auto text = read_private_file(file);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) {
    if (::sodium_init() < 0) return fail(std::make_error_code(std::errc::io_error), "no randomness");
    std::string fresh(32, '\0');
    ::randombytes_buf(fresh.data(), fresh.size());
    auto made = create_private_file(file, std::string(kPrefix) + cloudevents::encode_base64(fresh) + "\n");
    if (!made && made.error().code != std::errc::file_exists) return propagate(made);
    text = read_private_file(file);
  }
  if (!text) return propagate(text);
  auto secret = parse(*text);
  if (!secret) secret.error().message = file.string() + ": " + secret.error().message;
  return secret;
}

std::string Secret::sign(std::string_view id, std::int64_t seconds, std::string_view body) const {
  const auto head = std::string(id) + "." + std::to_string(seconds) + ".";
  crypto_auth_hmacsha256_state state;
  ::crypto_auth_hmacsha256_init(&state, bytes_of(bytes_), bytes_.size());
  ::crypto_auth_hmacsha256_update(&state, bytes_of(head), head.size());
  ::crypto_auth_hmacsha256_update(&state, bytes_of(body), body.size());
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> hash{};
  ::crypto_auth_hmacsha256_final(&state, hash.data());
  return "v1," + cloudevents::encode_base64({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

}  // namespace mayfly::callbacks
