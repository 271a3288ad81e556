// The API keys that there are, as a shard sees them: immutable, a new table takes its place when one changes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/rate.h"

namespace mayfly::access {

struct Key {
  std::string name;
  std::set<std::string, std::less<>> functions{};  ///< that it is for; empty: all that take keys
  std::optional<Rate> rate{};                      ///< of this key's calls to one function
  WallTime created{};
  std::optional<WallTime> expires{};

  [[nodiscard]] bool is_for(std::string_view function) const {
    return functions.empty() || functions.contains(function);
  }
};

/// SHA-256 of a key's text. A key is 256 random bits: its hash can neither be turned back nor guessed, so
/// that nothing slower is needed, and looking it up tells nothing about the keys that there are.
using KeyHash = std::array<unsigned char, 32>;
[[nodiscard]] KeyHash hash_of(std::string_view key);

inline constexpr std::string_view kKeyPrefix = "mf_";  ///< so that scanners of leaked secrets know it
/// "mf_" and 256 bits in hexadecimal.
inline constexpr std::size_t kKeySize = 3 + 64;

class KeyTable {
 public:
  struct Hash {
    std::size_t operator()(const KeyHash& hash) const;
  };
  using Keys = std::unordered_map<KeyHash, Key, Hash>;

  KeyTable() = default;
  explicit KeyTable(Keys keys) : keys_(std::move(keys)) {}
  /// The key of this text, or null. It lives as long as the table.
  [[nodiscard]] const Key* find(std::string_view text) const;

 private:
  Keys keys_;
};
using KeyTablePtr = std::shared_ptr<const KeyTable>;

}  // namespace mayfly::access
