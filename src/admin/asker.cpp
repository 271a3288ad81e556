#include "admin/asker.h"

#include <algorithm>
#include <array>

#include "admin/errors.h"
#include "base/ascii.h"

namespace mayfly::admin {
namespace {

/// "name:port" → both; a host without a port is at that of HTTP, or of HTTPS.
struct HostPort {
  std::string host;
  std::string port;
};
HostPort split(const std::string& text, bool encrypted) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || text.find(']', colon) != std::string::npos)
    return {text, encrypted ? "443" : "80"};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

/// An address in place of a name cannot be made to lead elsewhere; "localhost" leads nowhere else in
/// browsers.
bool is_own(const std::string& host, const Place& place) {
  const auto given = split(host, place.encrypted);
  if (given.port == std::to_string(place.port)) {
    const std::array own{
        std::string("localhost"), std::string("127.0.0.1"), std::string("[::1]"),
        place.address.find(':') != std::string::npos ? "[" + place.address + "]" : place.address};
    if (std::ranges::find(own, given.host) != own.end()) return true;
  }
  return std::ranges::any_of(place.names,
                             [&](const std::string& name) { return name == host || name == given.host; });
}

}  // namespace

Result<void> check_asker(const Asker& asker, const Place& place) {
  const auto host = lower(asker.host.value_or(""));
  if (asker.host && !is_own(host, place))
    return fail(AdminErrc::unknown_host,
                "the admin plane is asked by its address or as localhost, with its port, not as '" + host +
                    "'; `mayfly serve --admin-host NAME` adds a name");
  if (asker.origin) {
    const auto origin = lower(*asker.origin);
    if (host.empty() || (origin != "http://" + host && origin != "https://" + host))
      return fail(AdminErrc::cross_origin, "pages of other origins get no answer");
  }
  if (asker.fetch_site && *asker.fetch_site != "same-origin" && *asker.fetch_site != "none")
    return fail(AdminErrc::cross_origin, "pages of other origins get no answer");
  return {};
}

}  // namespace mayfly::admin
