#include "events/payload_digest.h"

#include <openssl/evp.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>

namespace mayfly::events {
namespace {

constexpr std::array<std::string_view, 3> kOfARequest{"content-type", "content-encoding", "content-language"};
constexpr std::array<std::string_view, 4> kNotOfOthers{"id", "time", "traceparent", "tracestate"};

bool is_one_of(std::string_view name, auto& names) {
  return std::ranges::any_of(names, [&](std::string_view one) {
    return one.size() == name.size() && ::strncasecmp(one.data(), name.data(), name.size()) == 0;
  });
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  }
  /// With its length in front: what follows cannot be taken for a part of it.
  void add(std::string_view bytes) {
    const std::uint64_t size = bytes.size();
    EVP_DigestUpdate(context_.get(), &size, sizeof size);
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  [[nodiscard]] PayloadDigest digest() {
    PayloadDigest digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

/// The next text up to a zero byte.
std::string_view take(std::string_view& fields) {
  const auto end = std::min(fields.find('\0'), fields.size());
  const auto text = fields.substr(0, end);
  fields.remove_prefix(std::min(end + 1, fields.size()));
  return text;
}

}  // namespace

PayloadDigest payload_digest(const NewEvent& event) {
  Sha256 sha;
  const char form = static_cast<char>(event.form);
  sha.add({&form, 1});
  sha.add(event.method);
  sha.add(event.target);
  sha.add(event.body);
  for (std::string_view fields = event.fields; !fields.empty();) {
    const auto name = take(fields);
    const auto value = take(fields);
    const bool matters =
        event.form == Form::request ? is_one_of(name, kOfARequest) : !is_one_of(name, kNotOfOthers);
    if (!matters) continue;
    sha.add(name);
    sha.add(value);
  }
  if (!event.partition.empty()) sha.add(event.partition);
  return sha.digest();
}

PayloadDigest payload_digest(std::span<const PayloadDigest> parts) {
  Sha256 sha;
  for (const auto& part : parts) sha.add({reinterpret_cast<const char*>(part.data()), part.size()});
  return sha.digest();
}

}  // namespace mayfly::events
