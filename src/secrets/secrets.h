// The secrets of a daemon: named values, encrypted in the database, decrypted when a template is made.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "secrets/error.h"
#include "secrets/key.h"
#include "secrets/plaintext.h"
#include "store/database.h"

namespace mayfly::secrets {

inline constexpr std::size_t kMaxValue = 64U << 10U;  ///< bytes
inline constexpr std::size_t kMaxName = 255;
inline constexpr std::size_t kMaxSecrets = 1'000;

struct SecretsOptions {
  std::filesystem::path data;    ///< the data folder: mayfly.db, and the key beside it
  const Clock* clock = nullptr;  ///< must outlive the secrets; null: the system's
  std::string vfs{};             ///< for tests: SQLite's access to files
};

/// What may be said of a secret.
struct SecretInfo {
  std::string name;
  WallTime created;
  WallTime updated;
};

/// Lives on the control thread; reveal() may be called from any. Every change is committed before it shows,
/// and an error means that nothing changed.
///
/// Without its key a value is lost. So the key file is made once, when the first value is set, and never
/// written again; while there are values that it does not open (it is missing, or another one), they can be
/// listed and removed, and nothing can be set: putting the file back is enough.
class Secrets {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Secrets>> open(const SecretsOptions& options);

  /// Makes or changes one. `name` is that of an environment variable; the value is 1 byte to 64 KiB.
  [[nodiscard]] Result<SecretInfo> set(const std::string& name, std::string_view value);
  [[nodiscard]] Result<void> remove(const std::string& name);
  /// By name, sorted.
  [[nodiscard]] std::vector<SecretInfo> list() const;
  /// An error unknown_secret says which may have been meant.
  [[nodiscard]] Result<SecretInfo> get(std::string_view name) const;
  /// Why values cannot be read now; nothing if they can.
  [[nodiscard]] std::optional<Error> locked() const;

  /// Decrypts a value. Any thread.
  [[nodiscard]] Result<Plaintext> reveal(std::string_view name) const;

 private:
  struct Stored {
    std::string sealed;
    std::string key;  ///< fingerprint
    WallTime created;
    WallTime updated;
  };

  Secrets(store::Database database, const SecretsOptions& options);
  [[nodiscard]] Result<void> load();
  void unlock();
  [[nodiscard]] Result<void> ensure_key();
  [[nodiscard]] std::unexpected<Error> unknown(std::string_view name) const;

  store::Database database_;
  std::filesystem::path folder_;
  const Clock& clock_;
  /// Changed on the control thread only, with the lock held; other threads read with it held.
  mutable std::mutex mutex_;
  std::map<std::string, Stored, std::less<>> stored_;
  std::optional<Key> key_;  ///< opens all that is stored
  std::optional<Error> locked_;
};

}  // namespace mayfly::secrets
