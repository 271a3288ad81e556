#include "router/route_table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <set>

#include "base/ascii.h"
#include "registry/main_version.h"
#include "router/route_fields.h"

namespace mayfly::router {
namespace {

using registry::FunctionPtr;

const SlugCategory<RouterErrc, 4> kCategory("router", std::array{"unknown-function", "unknown-version",
                                                                 "method-not-allowed", "bad-route"});

std::string_view path_of(std::string_view target) { return target.substr(0, target.find_first_of("?#")); }

std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  return colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos
             ? host.substr(0, colon)
             : host;
}

bool is_placeholder(std::string_view segment) { return segment == "*" || segment.starts_with(':'); }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_letter_of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
}

/// Each value of a path has one name, and no name a meaning in a query or a field.
bool has_good_names(const Route& route) {
  std::set<std::string_view> names;
  if (route.tail) names.insert(kTail);
  return std::ranges::all_of(route.segments, [&](std::string_view segment) {
    if (!segment.starts_with(':')) return true;
    const auto name = segment.substr(1);
    return !name.empty() && std::ranges::all_of(name, is_letter_of_name) && names.insert(name).second;
  });
}

bool path_matches(const Route& route, std::string_view path) {
  for (const auto& segment : route.segments) {
    if (path.empty()) return false;
    path.remove_prefix(1);  // the '/'
    const auto part = path.substr(0, path.find('/'));
    if (is_placeholder(segment) ? part.empty() : part != segment) return false;
    path.remove_prefix(part.size());
  }
  return route.tail || path.empty() || path == "/";
}

/// Order: host before none, more literal segments first, longer first, fixed end before "*", method before
/// any.
auto specificity(const Route& route) {
  const auto literals =
      std::ranges::count_if(route.segments, [](const auto& s) { return !is_placeholder(s); });
  return std::tuple(!route.host.empty(), literals, route.segments.size(), !route.tail, !route.method.empty());
}

/// For the field Allow: each method once, and HEAD wherever there is GET.
std::string allowed_methods(const std::vector<const Route*>& routes) {
  std::set<std::string_view> methods;
  for (const Route* route : routes) methods.insert(route->method);
  if (methods.contains("GET")) methods.insert("HEAD");
  std::string text;
  for (const auto method : methods) text.append(text.empty() ? "" : ", ").append(method);
  return text;
}

std::string_view header_value(std::string_view headers, std::string_view wanted) {
  while (!headers.empty()) {
    const auto name = headers.substr(0, headers.find('\0'));
    headers.remove_prefix(std::min(headers.size(), name.size() + 1));
    const auto value = headers.substr(0, headers.find('\0'));
    headers.remove_prefix(std::min(headers.size(), value.size() + 1));
    if (name == wanted) return value;
  }
  return {};
}

std::string_view cookie_value(std::string_view cookies, std::string_view wanted) {
  while (!cookies.empty()) {
    auto pair = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(cookies.size(), pair.size() + 1));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == wanted) return pair.substr(equals + 1);
  }
  return {};
}

/// The value that keeps a client at its version; empty: there is none.
std::string_view sticky_value(std::string_view sticky, std::string_view headers) {
  if (sticky.starts_with("header:")) return header_value(headers, lower(sticky.substr(7)));
  if (sticky.starts_with("cookie:")) return cookie_value(header_value(headers, "cookie"), sticky.substr(7));
  return {};
}

/// FNV-1a, with the avalanche of MurmurHash3's finalizer, so that similar values spread.
std::uint32_t spread(std::string_view value) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : value) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash ^= hash >> 33U;
  hash *= 0xff51afd7ed558ccdU;
  return static_cast<std::uint32_t>(hash >> 32U);
}

}  // namespace

std::error_code make_error_code(RouterErrc code) { return {static_cast<int>(code), kCategory}; }

Result<Route> parse_route(std::string_view pattern) {
  const auto wrong = [&](const char* why) {
    return fail(RouterErrc::bad_route, "route '" + std::string(pattern) + "': " + why);
  };
  Route route;
  std::string_view rest = pattern;
  if (const auto space = rest.find(' '); space != std::string_view::npos) {
    route.method = rest.substr(0, space);
    rest.remove_prefix(space + 1);
    if (route.method.empty() ||
        !std::ranges::all_of(route.method, [](char c) { return c >= 'A' && c <= 'Z'; }))
      return wrong("the method must be in capital letters, as in 'GET /path'");
  }
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return wrong("there is no path; it begins with '/'");
  route.host = lower(rest.substr(0, slash));
  rest.remove_prefix(slash);
  if (route.host.find_first_of(" ?#@") != std::string::npos)
    return wrong("the host must be a plain name, as in 'api.example.com/path'");
  if (rest.find_first_of(" ?#") != std::string_view::npos) return wrong("a path has no blanks, '?' or '#'");
  if (std::ranges::any_of(rest, is_control)) return wrong("a path has no control characters");
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    if (segment == "*" && rest.empty()) {
      route.tail = true;
    } else if (!segment.empty()) {
      route.segments.emplace_back(segment);
    } else if (!rest.empty()) {
      return wrong("the path has an empty segment");
    }
  }
  if (!has_good_names(route))
    return wrong(
        "the name of a placeholder has letters, digits, '_', '-' and '.', and stands once; 'proxy' is "
        "that of a last '*'");
  route.key = route_key(route);
  route.has_parameters =
      route.tail || std::ranges::any_of(route.segments, [](const auto& s) { return s.starts_with(':'); });
  return route;
}

RouteTable::RouteTable(const std::vector<FunctionPtr>& functions) {
  for (const auto& function : functions) {
    by_name_.emplace(function->name, function);
    // The routes of the version that gets most of the traffic count.
    const auto& version = registry::main_version(*function);
    if (version == nullptr) continue;
    for (const auto& pattern : version->config.routes) {
      auto route = parse_route(pattern);
      if (!route) continue;  // refused at deploy
      route->function = function;
      routes_.push_back(std::move(*route));
    }
  }
  std::ranges::stable_sort(routes_, std::greater{}, specificity);
}

FunctionPtr RouteTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found != by_name_.end() ? found->second : nullptr;
}

Result<Match> RouteTable::match(std::string_view method, std::string_view host,
                                std::string_view target) const {
  const auto path = path_of(target);
  std::vector<const Route*> others;  // routes that take this path, but not this method
  if (!routes_.empty()) {
    const auto plain_host = lower(without_port(host));
    for (const Route& route : routes_) {
      if (!route.host.empty() && route.host != plain_host) continue;
      if (!path_matches(route, path)) continue;
      if (route.method.empty() || route.method == method || (route.method == "GET" && method == "HEAD"))
        return Match{route.function, {}, target, {}, &route};
      others.push_back(&route);
    }
  }
  if (path.starts_with('/')) {
    const auto segment =
        path.substr(1, path.find('/', 1) == std::string_view::npos ? path.npos : path.find('/', 1) - 1);
    const auto at = segment.find('@');
    auto function = find(segment.substr(0, at));
    // Who gives a function routes for a path under its own name has said which methods it takes there.
    const bool routed = at == std::string_view::npos && function &&
                        std::ranges::any_of(others, [&](const Route* r) { return r->function == function; });
    if (function && !routed) {
      Match match{
          std::move(function), {}, target.substr(segment.size() + 1), path.substr(0, segment.size() + 1)};
      if (at != std::string_view::npos) match.reference = segment.substr(at + 1);
      return match;
    }
  }
  if (!others.empty()) {
    auto refused = fail(RouterErrc::method_not_allowed, "no route takes " + std::string(method) + " here");
    refused.error().with("allow", allowed_methods(others));
    return refused;
  }
  return fail(RouterErrc::unknown_function, "no function answers to " + std::string(path.substr(0, 200)));
}

const std::vector<std::string>& wrap_of(const registry::Function& function,
                                        const registry::Version& version) {
  const auto& main = registry::main_version(function);
  const bool is_bare = version.config.wrap.empty() && main != nullptr;
  return is_bare ? main->config.wrap : version.config.wrap;
}

std::string_view first_service(const registry::Function& function) {
  const auto& main = registry::main_version(function);
  return main == nullptr || main->config.wrap.empty() ? std::string_view(function.name)
                                                      : main->config.wrap.front();
}

Result<registry::VersionPtr> choose_version(const registry::Function& function, std::string_view reference,
                                            std::string_view headers, std::uint32_t draw) {
  const auto get = [&](std::uint32_t number) -> Result<registry::VersionPtr> {
    const auto found = function.versions.find(number);
    if (found != function.versions.end()) return found->second;
    return fail(RouterErrc::unknown_version, "there is no " + function.name + "@" + std::string(reference));
  };
  if (!reference.empty()) {
    if (const auto alias = function.aliases.find(std::string(reference)); alias != function.aliases.end())
      return get(alias->second);
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(reference.data(), reference.data() + reference.size(), number);
    return get(error == std::errc{} && end == reference.data() + reference.size() ? number : 0);
  }
  const auto& weights = function.traffic.weights;
  if (weights.size() == 1) return get(weights.begin()->first);
  const auto sticky = sticky_value(function.traffic.sticky, headers);
  if (!sticky.empty()) draw = spread(sticky);
  std::uint64_t total = 0;
  for (const auto& [number, weight] : weights) total += weight;
  std::uint64_t at = (std::uint64_t{draw} * total) >> 32U;
  for (const auto& [number, weight] : weights) {
    if (at < weight) return get(number);
    at -= weight;
  }
  return get(0);
}

}  // namespace mayfly::router
