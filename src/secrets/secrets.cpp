#include "secrets/secrets.h"

#include <algorithm>

#include "base/text.h"
#include "store/schema.h"

namespace mayfly::secrets {
namespace {

const SystemClock kSystemClock;

WallTime from_ms(std::int64_t ms) { return WallTime{} + milliseconds(ms); }

Result<void> check(const std::string& name, std::string_view value) {
  if (!is_variable_name(name) || name.size() > kMaxName) {
    return fail(SecretsErrc::bad_name, "'" + name.substr(0, 80) +
                                           "' cannot be the name of a secret: it is that of a variable, of "
                                           "letters, digits and '_', not beginning with a digit");
  }
  if (value.empty()) return fail(SecretsErrc::bad_value, "the value of '" + name + "' is empty");
  if (value.size() <= kMaxValue) return {};
  auto error = fail(SecretsErrc::too_large, "a secret has at most 64 KiB");
  error.error().with("limit", "64KiB");
  return error;
}

}  // namespace

Secrets::Secrets(store::Database database, const SecretsOptions& options)
    : database_(std::move(database)),
      folder_(options.data),
      clock_(options.clock != nullptr ? *options.clock : kSystemClock) {}

Result<std::unique_ptr<Secrets>> Secrets::open(const SecretsOptions& options) {
  auto database = store::Database::open(options.data / "mayfly.db", {.vfs = options.vfs});
  if (!database) return propagate(database);
  if (auto migrated = store::migrate(*database); !migrated) return propagate(migrated);
  std::unique_ptr<Secrets> secrets(new Secrets(std::move(*database), options));
  if (auto loaded = secrets->load(); !loaded) return propagate(loaded);
  return secrets;
}

Result<void> Secrets::load() {
  auto read =
      database_.query("SELECT name, sealed, key, created, updated FROM secrets", [&](const store::Row& row) {
        stored_[row.text(0)] = {row.blob(1), row.text(2), from_ms(row.integer(3)), from_ms(row.integer(4))};
      });
  if (!read) return read;
  unlock();
  return {};
}

/// Loads the key, and keeps it if it is the one of what is stored.
void Secrets::unlock() {
  const std::lock_guard lock(mutex_);
  locked_.reset();
  auto key = Key::load(folder_);
  if (!key) {
    locked_ = std::move(key.error());
    return;
  }
  const auto print = *key ? (*key)->fingerprint() : std::string();
  const auto opens = [&](const auto& one) { return one.second.key == print; };
  if (std::ranges::all_of(stored_, opens)) {
    key_ = std::move(*key);  // perhaps none yet
    return;
  }
  const auto file = key_file(folder_).string();
  const auto what = *key ? file + " is another key than the one that the secrets were encrypted with"
                         : file + ", the key of the secrets, is missing";
  locked_ = Error{SecretsErrc::locked, what + ": put it back from a backup, or delete all secrets", {}};
}

/// A key to seal with, which is in its file still; the first time it is made.
Result<void> Secrets::ensure_key() {
  if (key_ && !stored_.empty()) {
    const auto kept = Key::load(folder_);
    if (kept && *kept && (*kept)->fingerprint() == key_->fingerprint()) return {};
    return fail(SecretsErrc::locked, key_file(folder_).string() +
                                         " is not the key that this daemon began with: put it back, or all "
                                         "secrets are lost at the next start");
  }
  unlock();  // what was wrong may have been put right
  if (locked_) return std::unexpected(*locked_);
  if (key_) return {};
  auto made = Key::create(folder_);
  if (!made) return propagate(made);
  const std::lock_guard lock(mutex_);
  key_ = std::move(*made);
  return {};
}

std::unexpected<Error> Secrets::unknown(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& [other, stored] : stored_) names.push_back(other);
  const std::string shown(name.substr(0, 80));
  return fail(SecretsErrc::unknown_secret, "there is no secret '" + shown + "'" + did_you_mean(name, names));
}

Result<SecretInfo> Secrets::set(const std::string& name, std::string_view value) {
  if (auto checked = check(name, value); !checked) return propagate(checked);
  const auto found = stored_.find(name);
  if (found == stored_.end() && stored_.size() >= kMaxSecrets) {
    auto error = fail(SecretsErrc::too_many, "there are " + std::to_string(kMaxSecrets) + " secrets already");
    error.error().with("limit", std::to_string(kMaxSecrets));
    return error;
  }
  if (auto ready = ensure_key(); !ready) return propagate(ready);
  const auto now = clock_.wall();
  Stored stored{key_->seal(name, value), key_->fingerprint(),
                found == stored_.end() ? now : found->second.created, now};
  auto written = database_.run(
      "INSERT INTO secrets VALUES (?1, ?2, ?3, ?4, ?5) "
      "ON CONFLICT(name) DO UPDATE SET sealed = ?2, key = ?3, updated = ?5",
      name, store::Blob{stored.sealed}, stored.key, to_millis(stored.created), to_millis(stored.updated));
  if (!written) return propagate(written);
  SecretInfo info{name, stored.created, stored.updated};
  const std::lock_guard lock(mutex_);
  stored_[name] = std::move(stored);
  return info;
}

Result<void> Secrets::remove(const std::string& name) {
  const auto found = stored_.find(name);
  if (found == stored_.end()) return unknown(name);
  if (auto removed = database_.run("DELETE FROM secrets WHERE name = ?", name); !removed) return removed;
  {
    const std::lock_guard lock(mutex_);
    stored_.erase(found);
  }
  if (stored_.empty() && !key_) unlock();  // there is nothing left that a key would have to open
  return {};
}

std::vector<SecretInfo> Secrets::list() const {
  std::vector<SecretInfo> all;
  for (const auto& [name, stored] : stored_) all.push_back({name, stored.created, stored.updated});
  return all;
}

Result<SecretInfo> Secrets::get(std::string_view name) const {
  const auto found = stored_.find(name);
  if (found == stored_.end()) return unknown(name);
  return SecretInfo{found->first, found->second.created, found->second.updated};
}

std::optional<Error> Secrets::locked() const { return locked_; }

Result<Plaintext> Secrets::reveal(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = stored_.find(name);
  if (found == stored_.end()) return unknown(name);
  if (locked_) return std::unexpected(*locked_);
  return key_->open(found->first, found->second.sealed);
}

}  // namespace mayfly::secrets
