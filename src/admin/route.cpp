#include "admin/route.h"

#include <optional>

#include "admin/errors.h"

namespace mayfly::admin {
namespace {

/// Takes the first segment off "/a/b", without its slash.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto end = path.find('/');
  const auto segment = path.substr(0, end);
  path.remove_prefix(segment.size());
  return segment;
}

bool is_param(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

std::optional<Params> fit(std::string_view pattern, std::string_view path) {
  Params params;
  while (pattern.starts_with('/') && path.starts_with('/')) {
    const auto wanted = take_segment(pattern);
    const auto given = take_segment(path);
    if (is_param(wanted)) {
      auto value = percent_decode(given);
      if (!value || value->empty()) return std::nullopt;
      params.emplace(wanted.substr(1, wanted.size() - 2), std::move(*value));
    } else if (wanted != given) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return params;
}

}  // namespace

std::uint64_t body_limit(BodyKind kind) {
  switch (kind) {
    case BodyKind::none:
      return 0;
    case BodyKind::json:
      return 1ULL << 20U;
    case BodyKind::payload:
      return 64ULL << 20U;
    case BodyKind::upload:
      return 256ULL << 20U;
  }
  return 0;
}

Result<Match> RouteTable::match(std::string_view method, std::string_view path) const {
  std::string allow;
  const auto add = [&](std::string_view name) { allow.append(allow.empty() ? "" : ", ").append(name); };
  for (const Route& route : routes_) {
    auto params = fit(route.pattern, path);
    if (!params) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD"))
      return Match{&route, std::move(*params)};
    add(route.method);
    if (route.method == "GET") add("HEAD");
  }
  if (allow.empty())
    return fail(AdminErrc::unknown_route,
                "no route " + std::string(path) + "; GET /v1/openapi.json lists those that there are");
  Error error{AdminErrc::method_not_allowed, std::string(path) + " takes " + allow, {}};
  return std::unexpected(std::move(error).with("allow", allow));
}

std::vector<std::string_view> pattern_params(std::string_view pattern) {
  std::vector<std::string_view> names;
  while (pattern.starts_with('/')) {
    const auto segment = take_segment(pattern);
    if (is_param(segment)) names.push_back(segment.substr(1, segment.size() - 2));
  }
  return names;
}

}  // namespace mayfly::admin
