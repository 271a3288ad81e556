#include "gateway/trace_context.h"

#include <string>

namespace mayfly::gateway {

void put_traceparent(RequestHead& head, std::string_view id) {
  const auto span = id.substr(16);
  constexpr std::size_t kLength = 55;
  auto& headers = head.headers;
  if (head.traceparent != std::string::npos) {
    const auto end = headers.find('\0', head.traceparent);
    const bool has_trace = headers.find_first_not_of('0', head.traceparent + 3) < head.traceparent + 35;
    if (end - head.traceparent == kLength && headers.compare(head.traceparent, 3, "00-") == 0 && has_trace) {
      headers.replace(head.traceparent + 36, 16, span);
      return;
    }
    headers.replace(head.traceparent, end - head.traceparent,
                    std::string("00-").append(id).append("-").append(span).append("-01"));
    return;
  }
  headers.append("traceparent").push_back('\0');
  headers.append("00-").append(id).append("-").append(span).append("-01").push_back('\0');
}

}  // namespace mayfly::gateway
