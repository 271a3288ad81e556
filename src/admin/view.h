// Functions and versions as JSON, and JSON bodies as values.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::admin {

/// Every key of [functions.NAME], as mayfly.toml has it.
[[nodiscard]] nlohmann::json config_json(const registry::FunctionConfig& config);
/// Number, address, digest, runtime, entry, created; with its share of the traffic and its aliases.
[[nodiscard]] nlohmann::json version_json(const registry::Version& version,
                                          const registry::Function& function);
[[nodiscard]] nlohmann::json versions_json(const registry::Function& function);  ///< newest first
[[nodiscard]] nlohmann::json traffic_json(const registry::Traffic& traffic);
[[nodiscard]] nlohmann::json aliases_json(const registry::Function& function);

/// A body that must be a JSON object with no other members than these; an empty body is an empty object.
[[nodiscard]] Result<nlohmann::json> parse_object(const std::string& body,
                                                  const std::vector<std::string_view>& members);
/// A version number: 1, 2, 3, …
[[nodiscard]] Result<std::uint32_t> version_number(std::string_view text);
/// The member "version" of a body.
[[nodiscard]] Result<std::uint32_t> version_member(const nlohmann::json& body);
/// The member "expires_in_s" of a body, if it is there: 1 second to 100 years.
[[nodiscard]] Result<std::optional<std::chrono::milliseconds>> lifetime_member(const nlohmann::json& body);
/// {"weights": {"3": 90}, "sticky": "cookie:x"}
[[nodiscard]] Result<registry::Traffic> parse_traffic(const std::string& body);

}  // namespace mayfly::admin
