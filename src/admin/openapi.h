// The OpenAPI 3.1 document, made from the route table.
#pragma once

#include <string>
#include <vector>

#include "admin/route.h"

namespace mayfly::admin {

[[nodiscard]] std::string openapi_document(const std::vector<Route>& routes);
/// The components that routes refer to by name, as JSON text: openapi_schemas.cpp.
[[nodiscard]] std::string_view openapi_schemas();
/// Those of the endpoints about events: openapi_event_schemas.cpp.
[[nodiscard]] std::string_view openapi_event_schemas();
/// Those of usage and bills: openapi_usage_schemas.cpp.
[[nodiscard]] std::string_view openapi_usage_schemas();

}  // namespace mayfly::admin
