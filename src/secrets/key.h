// The key that secrets are encrypted with, its file, and the encryption.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "secrets/error.h"
#include "secrets/plaintext.h"

namespace mayfly::secrets {

/// 256 bits, in memory that is locked, guarded and left out of core files (sodium_malloc(3)). Immutable: any
/// thread may use it.
class Key {
 public:
  /// The key in DIR/secret-key; nothing if there is no such file. Errors (locked): others may read or write
  /// the file, or it holds no key.
  [[nodiscard]] static Result<std::optional<Key>> load(const std::filesystem::path& folder);
  /// Makes a key and its file, mode 0600, which appears whole or not at all and is on the disk when this
  /// returns. A file that is there already is never touched: that is an error.
  [[nodiscard]] static Result<Key> create(const std::filesystem::path& folder);

  /// nonce (24 bytes), ciphertext, tag (16): XChaCha20-Poly1305 with the name as associated data, so what was
  /// sealed under one name does not open under another.
  [[nodiscard]] std::string seal(std::string_view name, std::string_view value) const;
  /// Error damaged: not sealed under this name with this key.
  [[nodiscard]] Result<Plaintext> open(std::string_view name, std::string_view sealed) const;
  /// 16 bytes (in hexadecimal) that tell keys apart and say nothing of them.
  [[nodiscard]] std::string fingerprint() const;

 private:
  struct Free {
    void operator()(unsigned char* bytes) const noexcept;
  };
  Key();
  std::unique_ptr<unsigned char, Free> bytes_;
};

/// Where the key of a data folder is.
[[nodiscard]] std::filesystem::path key_file(const std::filesystem::path& folder);

}  // namespace mayfly::secrets
