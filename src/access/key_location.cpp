#include "access/key_location.h"

#include "access/error.h"
#include "base/regular_file.h"
#include "registry/error.h"

namespace mayfly::access {
namespace {

std::unexpected<Error> refuse(const std::string& why) {
  auto error = fail(registry::RegistryErrc::bad_config, why);
  error.error().with("key", "jwt");
  return error;
}

}  // namespace

bool is_key_location(std::string_view text) {
  if (text.size() > 2048) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
  if (text.starts_with('/')) return true;
  if (text.starts_with("https://")) return text.size() > 8;
  constexpr std::string_view kPlain = "http://";
  if (!text.starts_with(kPlain)) return false;
  text.remove_prefix(kPlain.size());
  auto host = text.substr(0, text.find_first_of("/?#"));
  if (host.contains('@')) return false;  // what stands before it is a user's name, not the host
  if (const auto colon = host.rfind(':'); colon != std::string_view::npos && !host.ends_with(']'))
    host = host.substr(0, colon);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

std::set<std::string> key_locations(const std::vector<registry::FunctionPtr>& functions) {
  std::set<std::string> all;
  for (const auto& function : functions)
    for (const auto& [number, version] : function->versions)
      if (version->config.access == registry::Access::jwt) all.insert(version->config.jwt.jwks);
  return all;
}

Result<void> check_key_location(const std::string& location, const std::set<std::string>& known) {
  if (!is_key_location(location))
    return refuse("jwt.jwks: allowed is an absolute path, https://..., or http:// of the loopback");
  if (known.contains(location) || known.size() < kMostKeyLocations) return {};
  return refuse("jwt.jwks: the versions that this daemon keeps name " + std::to_string(known.size()) +
                " places already, and it reads at most " + std::to_string(kMostKeyLocations) +
                "; delete versions or functions that are not needed");
}

Result<std::string> read_key_file(const std::string& path) {
  auto text = read_regular_file(path, kMostKeySetBytes);
  if (text) return text;
  std::string why = "it cannot be read";
  if (text.error().code == std::errc::file_too_large) why = "it is larger than 1 MiB";
  if (text.error().code == std::errc::invalid_argument) why = "it is not a plain file";
  return fail(AccessErrc::keys_unavailable, path + ": " + why);
}

}  // namespace mayfly::access
