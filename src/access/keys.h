// API keys: making, listing, revoking them, and the database table that keeps their hashes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/key_table.h"
#include "base/result.h"
#include "store/database.h"

namespace mayfly::access {

/// Lives on the control thread. Every change is committed before it shows. Shards do not see it: they get
/// tables.
class Keys {
 public:
  /// `data` is the data folder; `clock` outlives the keys.
  [[nodiscard]] static Result<std::unique_ptr<Keys>> open(const std::filesystem::path& data,
                                                          const Clock& clock);

  struct NewKey {
    std::string name;                      ///< [a-z0-9_-]{1,63}
    std::vector<std::string> functions{};  ///< that it is for, whether they are there yet or not; none: all
    std::optional<Rate> rate{};
    std::optional<std::chrono::milliseconds> lifetime{};
  };
  /// Makes one and gives its text, which is kept nowhere. Errors: bad_key, key_exists.
  [[nodiscard]] Result<std::string> create(const NewKey& wanted);
  /// Error: unknown_key.
  [[nodiscard]] Result<void> revoke(const std::string& name);
  /// By name, those that have expired too.
  [[nodiscard]] std::vector<Key> list() const;
  [[nodiscard]] Result<Key> get(std::string_view name) const;
  /// All of them as they are now.
  [[nodiscard]] KeyTablePtr table() const { return std::make_shared<const KeyTable>(keys_); }

 private:
  Keys(store::Database database, const Clock& clock) : database_(std::move(database)), clock_(clock) {}
  [[nodiscard]] Result<void> load();

  store::Database database_;
  const Clock& clock_;
  KeyTable::Keys keys_;
};

}  // namespace mayfly::access
