#include "access/error.h"
#include "access/key_source.h"
#include "base/regular_file.h"
#include "outbound/get.h"

namespace mayfly::access {
namespace {

constexpr std::size_t kMostBytes = 1U << 20U;

std::unexpected<Error> failed(const std::string& location, const std::string& why) {
  return fail(AccessErrc::keys_unavailable, location + ": " + why);
}

Result<std::string> read_file(const std::string& path) {
  auto text = read_regular_file(path, kMostBytes);
  if (text) return text;
  if (text.error().code == std::errc::file_too_large) return failed(path, "it is larger than 1 MiB");
  if (text.error().code == std::errc::invalid_argument) return failed(path, "it is not a plain file");
  return failed(path, "it cannot be read");
}

Result<std::string> read_url(const std::string& url, const KeySourceOptions& options) {
  auto text = outbound::get(url, {.longest = options.longest, .most = kMostBytes, .rules = options.rules});
  if (!text && text.error().code == outbound::OutboundErrc::address_not_allowed)
    return failed(url, text.error().message + " (`mayfly serve --outbound-allow` opens more)");
  if (!text) return failed(url, text.error().message);
  return text;
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

Result<std::string> read_location(const std::string& location, const KeySourceOptions& options) {
  return location.starts_with('/') ? read_file(location) : read_url(location, options);
}

}  // namespace mayfly::access
