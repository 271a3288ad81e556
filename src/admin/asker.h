// Who may ask: not a page of another origin, and nobody who found the admin plane under a name that is not
// its own (DNS rebinding: a page's name that suddenly leads to 127.0.0.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::admin {

/// What a browser says of a request, and cannot be made to say otherwise by a page.
struct Asker {
  std::optional<std::string_view> host{};        ///< absent in HTTP/1.0 only: no browser
  std::optional<std::string_view> origin{};      ///< absent: not a page's script, or its own GET
  std::optional<std::string_view> fetch_site{};  ///< Sec-Fetch-Site (Fetch Metadata)
};

/// Where the connection came in, and by which names.
struct Place {
  std::string address;  ///< without brackets
  unsigned port = 0;
  bool encrypted = false;            ///< a host without a port is at 443
  std::vector<std::string> names{};  ///< lower case; "NAME" at any port, or "NAME:PORT"
};

/// Errors: unknown_host (421), cross_origin (403).
[[nodiscard]] Result<void> check_asker(const Asker& asker, const Place& place);

}  // namespace mayfly::admin
