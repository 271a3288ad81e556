#include "gateway/trace_context.h"

#include <gtest/gtest.h>

namespace mayfly::gateway {
namespace {

using namespace std::string_literals;

constexpr std::string_view kInvocation = "0123456789abcdef0011223344556677";

/// The field as it goes to the function, when the client's was `value` (none: there was none).
std::string passed_on(const std::string& value) {
  RequestHead head;
  head.headers = "a\0b\0"s;
  if (!value.empty()) {
    head.headers += "traceparent\0"s;
    head.traceparent = head.headers.size();
    head.headers += value + "\0c\0d\0"s;
  }
  put_traceparent(head, kInvocation);
  const auto at = head.headers.find("traceparent\0"s);
  EXPECT_EQ(head.headers.rfind("traceparent\0"s), at);
  return head.headers.substr(at + 12, head.headers.find('\0', at + 12) - at - 12);
}

TEST(TraceContext, BeginsNamedAsTheInvocation) {
  EXPECT_EQ(passed_on(""), "00-0123456789abcdef0011223344556677-0011223344556677-01");
}

TEST(TraceContext, GoesOnWithASpanOfOurs) {
  EXPECT_EQ(passed_on("00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-00"),
            "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-0011223344556677-00");
}

TEST(TraceContext, BeginsAnewWhereTheCallersIsNone) {
  for (const char* wrong : {"x", "00-00000000000000000000000000000000-bbbbbbbbbbbbbbbb-01",
                            "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01-more"})
    EXPECT_EQ(passed_on(wrong), "00-0123456789abcdef0011223344556677-0011223344556677-01") << wrong;
}

}  // namespace
}  // namespace mayfly::gateway
