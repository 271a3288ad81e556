#include "secrets/key.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "base/fd.h"
#include "base/private_file.h"

namespace mayfly::secrets {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kTextBytes = 2 * kKeyBytes + 1;  // hexadecimal, and a line end

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// What the tag also covers besides the value.
std::string associated(std::string_view name) { return "mayfly secret " + std::string(name); }

}  // namespace

fs::path key_file(const fs::path& folder) { return folder / "secret-key"; }

void Key::Free::operator()(unsigned char* bytes) const noexcept { sodium_free(bytes); }

Key::Key() {
  if (sodium_init() < 0) std::abort();  // no randomness: nothing may go on
  bytes_.reset(static_cast<unsigned char*>(sodium_malloc(kKeyBytes)));
  if (!bytes_) throw std::bad_alloc();
}

Result<std::optional<Key>> Key::load(const fs::path& folder) {
  const auto file = key_file(folder);
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return fail(SecretsErrc::locked, fail_errno("open " + file.string()).error().message);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0)
    return fail(SecretsErrc::locked, fail_errno("stat " + file.string()).error().message);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(SecretsErrc::locked,
                file.string() + " must be readable by its owner only: chmod 600 " + file.string());
  Key key;
  std::array<char, kTextBytes + 1> text{};
  const auto size = ::read(fd.get(), text.data(), text.size());
  std::size_t decoded = 0;
  const bool whole = size >= static_cast<ssize_t>(2 * kKeyBytes) &&
                     size <= static_cast<ssize_t>(kTextBytes) &&
                     sodium_hex2bin(key.bytes_.get(), kKeyBytes, text.data(), static_cast<std::size_t>(size),
                                    "\n", &decoded, nullptr) == 0 &&
                     decoded == kKeyBytes;
  sodium_memzero(text.data(), text.size());
  if (!whole) return fail(SecretsErrc::locked, file.string() + " holds no key: it is 64 hexadecimal digits");
  return key;
}

Result<Key> Key::create(const fs::path& folder) {
  Key key;
  randombytes_buf(key.bytes_.get(), kKeyBytes);
  std::array<char, kTextBytes> text{};
  sodium_bin2hex(text.data(), text.size(), key.bytes_.get(), kKeyBytes);
  text.back() = '\n';
  auto written = create_private_file(key_file(folder), {text.data(), text.size()});
  sodium_memzero(text.data(), text.size());
  if (!written) return propagate(written);
  return key;
}

std::string Key::seal(std::string_view name, std::string_view value) const {
  const auto about = associated(name);
  std::string sealed(kNonceBytes + value.size() + kTagBytes, '\0');
  randombytes_buf(sealed.data(), kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(sealed) + kNonceBytes, nullptr, bytes_of(value),
                                             value.size(), bytes_of(about), about.size(), nullptr,
                                             bytes_of(sealed), bytes_.get());
  return sealed;
}

Result<Plaintext> Key::open(std::string_view name, std::string_view sealed) const {
  const auto about = associated(name);
  const auto damaged = [&] {
    return fail(SecretsErrc::damaged, "what is stored as the secret '" + std::string(name) +
                                          "' was not encrypted under this name; set it again");
  };
  if (sealed.size() < kNonceBytes + kTagBytes) return damaged();
  const auto rest = sealed.substr(kNonceBytes);
  auto value = Plaintext::of_size(rest.size() - kTagBytes);
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(value.data()), nullptr, nullptr, bytes_of(rest), rest.size(),
      bytes_of(about), about.size(), bytes_of(sealed), bytes_.get());
  if (opened != 0) return damaged();
  return value;
}

std::string Key::fingerprint() const {
  constexpr std::string_view kAbout = "mayfly secret-key fingerprint";
  std::array<unsigned char, 16> hash{};
  crypto_generichash(hash.data(), hash.size(), bytes_of(kAbout), kAbout.size(), bytes_.get(), kKeyBytes);
  std::array<char, 33> text{};
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  return text.data();
}

}  // namespace mayfly::secrets
