// W3C Trace Context (https://www.w3.org/TR/trace-context/): the one field of it that Mayfly takes part in.
#pragma once

#include <string_view>

#include "gateway/request_parser.h"

namespace mayfly::gateway {

/// The caller's trace goes on with a new span; without a valid one a trace begins, named as the invocation
/// (32 hexadecimal digits).
void put_traceparent(RequestHead& head, std::string_view invocation);

}  // namespace mayfly::gateway
