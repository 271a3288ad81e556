// Host, path and method → function. Immutable once built; a new one takes its place when functions change.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::router {

/// One pattern of [functions.NAME] routes: "[METHOD ]HOST?/PATH". A path segment ":name" or "*" stands for
/// one segment, a last "*" for all that follows (also nothing). "GET /hello/*", "api.example.com/v1/:id".
struct Route {
  std::string method;  ///< empty: any
  std::string host;    ///< lower case, without port; empty: any
  std::vector<std::string> segments;
  bool tail = false;            ///< ends with "*": whatever follows
  std::string key;              ///< see route_key
  bool has_parameters = false;  ///< a segment with a name, or a tail
  registry::FunctionPtr function;
};

/// Parses a pattern; the error says what is wrong with it.
[[nodiscard]] Result<Route> parse_route(std::string_view pattern);

/// Where a request goes.
struct Match {
  registry::FunctionPtr function;
  /// "" , "3" or "stable": what followed "@" in the path.
  std::string_view reference;
  /// The target as the function sees it: for /NAME/rest the prefix is taken off; routes keep their path.
  std::string_view target;
  /// The part of the path that was taken off, "" for routes.
  std::string_view prefix;
  /// Null for /NAME. The table's.
  const Route* route = nullptr;
};

enum class RouterErrc { unknown_function = 1, unknown_version, method_not_allowed, bad_route };
[[nodiscard]] std::error_code make_error_code(RouterErrc code);

class RouteTable {
 public:
  explicit RouteTable(const std::vector<registry::FunctionPtr>& functions);

  /// Patterns first (the most specific: host before none, literal segments before placeholders, longer
  /// before shorter), then /NAME/…, but not where the function of that name has routes for the path: other
  /// methods than theirs are not allowed there. Views in the match are into `target`.
  [[nodiscard]] Result<Match> match(std::string_view method, std::string_view host,
                                    std::string_view target) const;
  [[nodiscard]] registry::FunctionPtr find(std::string_view name) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, registry::FunctionPtr, Hash, std::equal_to<>> by_name_;
  std::vector<Route> routes_;  // most specific first
};

/// The decorators around a version. What is wrapped since must not stay bare under the number of an older
/// version: where a version has none, those of the version count that most of the traffic goes to.
[[nodiscard]] const std::vector<std::string>& wrap_of(const registry::Function& function,
                                                      const registry::Version& version);
/// The function that requests to this one come to first: the outermost decorator of the version that most of
/// the traffic goes to, or itself. Connections are where that one is, whatever version a request gets.
[[nodiscard]] std::string_view first_service(const registry::Function& function);

/// The version that a request gets: the one it names, or one drawn by the weights; sticky when the function
/// says so and the request brings the header or cookie. `headers` is "name\0value\0…"; `draw` is uniform in
/// [0, 2^32).
[[nodiscard]] Result<registry::VersionPtr> choose_version(const registry::Function& function,
                                                          std::string_view reference,
                                                          std::string_view headers, std::uint32_t draw);

}  // namespace mayfly::router

template <>
struct std::is_error_code_enum<mayfly::router::RouterErrc> : std::true_type {};
