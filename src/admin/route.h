// The route table: declared once, used to dispatch requests and to write the OpenAPI document.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/message.h"

namespace mayfly::admin {

enum class BodyKind {
  none,     ///< a body is refused if it is longer than 0 bytes
  json,     ///< JSON, at most 1 MiB
  payload,  ///< anything, at most 64 MiB, in memory
  upload,   ///< anything, at most 256 MiB, in a file
};
[[nodiscard]] std::uint64_t body_limit(BodyKind kind);

struct Parameter {
  std::string_view name;
  std::string_view type;  ///< of JSON schema: "string", "integer", "boolean"
  std::string_view about;
  bool required = false;
  bool repeated = false;
};

struct Answer {
  unsigned status;
  std::string_view about;
  std::string_view schema{};  ///< a component of the OpenAPI document; empty: no body, or not JSON
  std::string_view media = "application/json";
};

/// Runs on the control thread; the request outlives it.
using Handler = std::function<boost::asio::awaitable<Result<Response>>(Request&)>;

struct Route {
  std::string_view method;
  std::string_view pattern;  ///< "/v1/functions/{name}": a name in braces stands for one segment
  std::string_view id;       ///< operationId
  std::string_view summary;
  std::vector<Answer> answers;
  Handler handler;
  std::vector<Parameter> query{};
  BodyKind body = BodyKind::none;
  std::string_view body_schema{};
  bool open = false;  ///< no token needed
};

using Params = std::map<std::string, std::string, std::less<>>;

struct Match {
  const Route* route = nullptr;
  Params params;
};

class RouteTable {
 public:
  explicit RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {}

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }
  /// `path` without query. HEAD finds the route of GET. Errors: unknown_route; method_not_allowed, whose
  /// detail "allow" lists the methods.
  [[nodiscard]] Result<Match> match(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

/// The names in braces, in order.
[[nodiscard]] std::vector<std::string_view> pattern_params(std::string_view pattern);

}  // namespace mayfly::admin
