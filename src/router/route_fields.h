// What a function is told of the route that it was reached by.
#pragma once

#include <string>
#include <string_view>

#include "router/route_table.h"

namespace mayfly::router {

/// API Gateway's name for what a last "*" stands for.
inline constexpr std::string_view kTail = "proxy";

/// As API Gateway writes it: "GET /users/{id}", "ANY /files/{proxy+}". A "*" in the middle stays one.
[[nodiscard]] std::string route_key(const Route& route);

/// Appends "mayfly-route", the route's key, and, if it has placeholders with a name or a tail,
/// "mayfly-path-parameters": what stands in their places in the path of `target`, which the route takes, as a
/// query has it ("id=7&proxy=a/b"). Percent-encoded as it came, and so that it can be split.
void append_route_fields(const Route& route, std::string_view target, std::string& fields);

}  // namespace mayfly::router
