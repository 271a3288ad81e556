// The places where issuers of tokens have their keys, as functions name them.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::access {

/// So many places does a daemon read: each takes a request every few minutes, and up to a key set's size.
inline constexpr std::size_t kMostKeyLocations = 256;
inline constexpr std::size_t kMostKeySetBytes = 1U << 20U;

/// "/…", "https://…", or "http://…" of this machine's own loopback.
[[nodiscard]] bool is_key_location(std::string_view text);
[[nodiscard]] inline bool is_key_file(std::string_view location) { return location.starts_with('/'); }

/// All that versions of these functions name, whether they get traffic or not.
[[nodiscard]] std::set<std::string> key_locations(const std::vector<registry::FunctionPtr>& functions);

/// Whether a version may name this place, where `known` are read. Error: registry::RegistryErrc::bad_config.
[[nodiscard]] Result<void> check_key_location(const std::string& location,
                                              const std::set<std::string>& known);

/// At most kMostKeySetBytes. The file is a plain one: nobody has to be waited for. Error:
/// AccessErrc::keys_unavailable.
[[nodiscard]] Result<std::string> read_key_file(const std::string& path);

}  // namespace mayfly::access
