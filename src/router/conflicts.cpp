#include "router/conflicts.h"

#include <algorithm>

#include "router/route_table.h"

namespace mayfly::router {
namespace {

using registry::FunctionPtr;

/// More names are counted.
constexpr std::size_t kNamed = 3;

bool is_placeholder(std::string_view segment) { return segment == "*" || segment.starts_with(':'); }

/// They take exactly the same requests.
bool same_requests(const Route& a, const Route& b) {
  const auto same_segment = [](const std::string& one, const std::string& other) {
    return one == other || (is_placeholder(one) && is_placeholder(other));
  };
  return a.method == b.method && a.host == b.host && a.tail == b.tail &&
         std::ranges::equal(a.segments, b.segments, same_segment);
}

/// Takes some of the requests for /NAME and what is below it, on whatever host.
bool hides(const Route& route, std::string_view name) {
  if (!route.host.empty()) return false;
  if (route.segments.empty()) return route.tail;
  return is_placeholder(route.segments.front()) || route.segments.front() == name;
}

/// Is written for /NAME itself.
bool is_at(const Route& route, std::string_view name) {
  return route.host.empty() && !route.segments.empty() && route.segments.front() == name;
}

struct OthersRoute {
  Route route;
  std::string pattern;
};

/// Of the versions that have traffic.
std::vector<OthersRoute> routes_of(const registry::Function& function) {
  std::vector<OthersRoute> all;
  for (const auto& [number, weight] : function.traffic.weights) {
    const auto version = function.versions.find(number);
    if (version == function.versions.end()) continue;
    for (const auto& pattern : version->second->config.routes)
      if (auto route = parse_route(pattern)) all.push_back({std::move(*route), pattern});
  }
  return all;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i)
    text.append(text.empty() ? "/" : ", /").append(names[i]);
  if (names.size() > kNamed) text += " and " + std::to_string(names.size() - kNamed) + " more";
  return text;
}

}  // namespace

Result<void> check_routes(const registry::Version& version, const std::vector<FunctionPtr>& others) {
  for (const auto& pattern : version.config.routes) {
    const auto route = parse_route(pattern);
    if (!route) return std::unexpected(route.error());
    for (const auto& other : others) {
      if (other->name == version.function) continue;
      if (is_at(*route, other->name))
        return fail(RouterErrc::bad_route, "route '" + pattern + "': /" + other->name +
                                               " is the address of the function '" + other->name +
                                               "'; a route for a host of its own may begin so");
      for (const auto& theirs : routes_of(*other))
        if (same_requests(*route, theirs.route))
          return fail(RouterErrc::bad_route,
                      "route '" + pattern + "' belongs to the function '" + other->name + "' already" +
                          (theirs.pattern == pattern ? "" : ", as '" + theirs.pattern + "'"));
    }
  }
  return {};
}

std::vector<std::string> route_warnings(const registry::Version& version,
                                        const std::vector<FunctionPtr>& others) {
  std::vector<std::string> warnings;
  for (const auto& pattern : version.config.routes) {
    const auto route = parse_route(pattern);
    if (!route) continue;
    std::vector<std::string> hidden;
    for (const auto& other : others)
      if (other->name != version.function && hides(*route, other->name)) hidden.push_back(other->name);
    if (!hidden.empty())
      warnings.push_back("route '" + pattern + "' takes requests that " + listed(hidden) +
                         " would get without it: other functions' addresses");
  }
  for (const auto& other : others) {
    if (other->name == version.function) continue;
    for (const auto& theirs : routes_of(*other))
      if (hides(theirs.route, version.function))
        warnings.push_back("requests for /" + version.function + " go to the function '" + other->name +
                           "' where its route '" + theirs.pattern + "' takes them");
  }
  return warnings;
}

}  // namespace mayfly::router
