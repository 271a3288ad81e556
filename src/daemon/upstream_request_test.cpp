#include "daemon/upstream_request.h"

#include <gtest/gtest.h>

#include "base/fields.h"

namespace mayfly::daemon {
namespace {

struct Nobody final : pool::InvocationListener {
  void on_response(pool::Invocation&, unsigned, std::string_view, std::string_view, bool) override {}
  void on_body(pool::Invocation&, std::string_view, bool) override {}
  void on_request_credit(pool::Invocation&, std::size_t) override {}
  void on_failure(pool::Invocation&, Error) override {}
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string fields_of(const Pairs& pairs) {
  std::string fields;
  for (const auto& [name, value] : pairs) append_field(fields, name, value);
  return fields;
}

Pairs pairs_of(std::string_view fields) {
  Pairs pairs;
  for_each_field(fields,
                 [&](std::string_view name, std::string_view value) { pairs.emplace_back(name, value); });
  return pairs;
}

struct UpstreamRequest : testing::Test {
  UpstreamRequest() {
    invocation.method = "POST";
    invocation.target = "/a?b=c";
    invocation.remote = "192.0.2.1";
  }
  outbound::Request made(const Pairs& headers, const std::string& url = "http://up.example:8000/api/") {
    invocation.headers = fields_of(headers);
    return upstream_request(invocation, url);
  }
  Nobody nobody;
  pool::Invocation invocation{nobody};
};

TEST_F(UpstreamRequest, ItsPathIsPutBehindTheUrls) {
  EXPECT_EQ(made({}).url, "http://up.example:8000/api/a?b=c");
  EXPECT_EQ(made({}, "http://up.example").url, "http://up.example/a?b=c");
  invocation.target = "/@evil.example/#x";
  EXPECT_EQ(made({}, "http://up.example").url, "http://up.example/@evil.example/");
}

TEST_F(UpstreamRequest, WhatIsAboutTheConnectionStays) {
  const auto request = made({{"connection", "x-own, Close"},
                             {"x-own", "1"},
                             {"te", "trailers"},
                             {"upgrade", "h2c"},
                             {"keep-alive", "5"},
                             {"transfer-encoding", "chunked"},
                             {"expect", "100-continue"},
                             {"proxy-authorization", "Basic x"},
                             {"accept", "*/*"},
                             {"content-length", "7"}});
  EXPECT_EQ(pairs_of(request.fields), (Pairs{{"accept", "*/*"},
                                             {"x-forwarded-for", "192.0.2.1"},
                                             {"forwarded", "for=192.0.2.1;proto=http"},
                                             {"x-forwarded-proto", "http"}}));
  EXPECT_EQ(request.length, 7U);
}

TEST_F(UpstreamRequest, ItSaysWhoAskedAndForWhat) {
  invocation.scheme = "https";
  invocation.remote = "2001:db8::1";
  const auto request = made({{"host", "shop.example:8443"},
                             {"x-forwarded-for", "10.0.0.1"},
                             {"x-forwarded-for", "10.0.0.2"},
                             {"forwarded", "for=10.0.0.1"},
                             {"x-forwarded-proto", "gopher"},
                             {"x-forwarded-host", "bank.example"}});
  EXPECT_EQ(
      pairs_of(request.fields),
      (Pairs{{"x-forwarded-for", "10.0.0.1, 10.0.0.2, 2001:db8::1"},
             {"forwarded", "for=10.0.0.1, for=\"[2001:db8::1]\";host=\"shop.example:8443\";proto=https"},
             {"x-forwarded-host", "shop.example:8443"},
             {"x-forwarded-proto", "https"}}));
}

TEST(UpstreamAnswer, WhatIsAboutItsConnectionStaysThere) {
  EXPECT_EQ(pairs_of(end_to_end_fields(fields_of({{"connection", "X-Hop"},
                                                  {"x-hop", "1"},
                                                  {"content-length", "3"},
                                                  {"transfer-encoding", "chunked"},
                                                  {"set-cookie", "a=1"},
                                                  {"set-cookie", "b=2"},
                                                  {"keep-alive", "timeout=5"}}))),
            (Pairs{{"content-length", "3"}, {"set-cookie", "a=1"}, {"set-cookie", "b=2"}}));
}

}  // namespace
}  // namespace mayfly::daemon
