#include "exec/lambda_event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "exec/headers.h"
#include "exec/lambda_stream.h"
#include "exec/runtime_api.h"

namespace mayfly::exec {
namespace {

using nlohmann::json;

json event(std::string_view target, std::string_view headers, std::string_view body) {
  const wire::InvokeHead head{.deadline = 0,
                              .invocation = "id-1",
                              .remote = "192.0.2.1",
                              .scheme = "http",
                              .method = "POST",
                              .target = target,
                              .headers = headers};
  return json::parse(event_of(head, body));
}

TEST(LambdaEvent, HasThePartsOfTheRequest) {
  std::string headers;
  append_field(headers, "host", "a.example:80");
  append_field(headers, "x", "1");
  append_field(headers, "x", "2");
  append_field(headers, "cookie", "a=1; b=2");
  append_field(headers, "user-agent", "curl");
  const auto e = event("/p%20q?a=1&a=2&b=x+y%21&c", headers, "text");
  EXPECT_EQ(e["version"], "2.0");
  EXPECT_EQ(e["rawPath"], "/p%20q");
  EXPECT_EQ(e["rawQueryString"], "a=1&a=2&b=x+y%21&c");
  EXPECT_EQ(e["queryStringParameters"], json({{"a", "1,2"}, {"b", "x y!"}, {"c", ""}}));
  EXPECT_EQ(e["headers"]["x"], "1,2");
  EXPECT_EQ(e["headers"]["cookie"], "a=1; b=2");
  EXPECT_EQ(e["cookies"], json({"a=1", "b=2"}));
  EXPECT_EQ(e["body"], "text");
  EXPECT_EQ(e["isBase64Encoded"], false);
  const auto& context = e["requestContext"];
  EXPECT_EQ(context["domainName"], "a.example:80");
  EXPECT_EQ(context["domainPrefix"], "a");
  EXPECT_EQ(context["requestId"], "id-1");
  EXPECT_EQ(context["http"]["method"], "POST");
  EXPECT_EQ(context["http"]["sourceIp"], "192.0.2.1");
  EXPECT_EQ(context["http"]["userAgent"], "curl");
}

TEST(LambdaEvent, HasTheRouteAndWhatStandsInItsPlaceholders) {
  const auto plain = event("/users/7", {}, "");
  EXPECT_EQ(plain["routeKey"], "$default");
  EXPECT_EQ(plain["requestContext"]["routeKey"], "$default");
  EXPECT_FALSE(plain.contains("pathParameters"));
  std::string headers;
  append_field(headers, "mayfly-route", "GET /users/{id}/{proxy+}");
  append_field(headers, "mayfly-path-parameters", "id=a%2Fb%20%2B&proxy=");
  const auto routed = event("/users/a%2Fb%20+", headers, "");
  EXPECT_EQ(routed["routeKey"], "GET /users/{id}/{proxy+}");
  EXPECT_EQ(routed["requestContext"]["routeKey"], "GET /users/{id}/{proxy+}");
  EXPECT_EQ(routed["pathParameters"], json({{"id", "a/b +"}, {"proxy", ""}}));
}

TEST(LambdaEvent, HasTheClaimsOfTheCallersToken) {
  EXPECT_FALSE(event("/", {}, "")["requestContext"].contains("authorizer"));
  std::string headers;
  // {"sub":"é","exp":1700000000,"ok":true,"aud":["a","b"],"o":{"x":1},"scope":"read
  // write","scp":["read","all"]}
  append_field(headers, "mayfly-jwt-claims",
               "eyJzdWIiOiLDqSIsImV4cCI6MTcwMDAwMDAwMCwib2siOnRydWUsImF1ZCI6WyJhIiwiYiJdLCJvIjp7IngiOjF9LC"
               "JzY29wZSI6InJlYWQgd3JpdGUiLCJzY3AiOlsicmVhZCIsImFsbCJdfQ");
  EXPECT_EQ(
      event("/", headers, "")["requestContext"]["authorizer"],
      json::parse(
          R"({"jwt": {"claims": {"sub": "é", "exp": "1700000000", "ok": "true", "aud": "[a b]", "o": "{\"x\":1}",
                            "scope": "read write", "scp": "[read all]"}, "scopes": ["read", "write", "all"]}})"));
  std::string without;
  append_field(without, "mayfly-jwt-claims", "eyJhIjoxfQ");
  EXPECT_EQ(event("/", without, "")["requestContext"]["authorizer"],
            json::parse(R"({"jwt": {"claims": {"a": "1"}, "scopes": null}})"));
}

TEST(LambdaEvent, BytesAreBase64) {
  EXPECT_EQ(event("/", {}, "\xff\xfe")["body"], "//4=");
  std::string headers;
  append_field(headers, "content-type", "image/png");
  const auto e = event("/", headers, "abc");
  EXPECT_EQ(e["body"], "YWJj");
  EXPECT_EQ(e["isBase64Encoded"], true);
  EXPECT_FALSE(event("/", {}, "").contains("body"));
}

TEST(LambdaAnswer, OfTheFormatOfApiGateway) {
  const auto answer = answer_of(R"({"statusCode": 201, "headers": {"X-A": "1", "content-type": "a/b"},
                                    "multiValueHeaders": {"x-a": ["2", "3"]}, "cookies": ["c=1"],
                                    "body": "//4=", "isBase64Encoded": true})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201U);
  EXPECT_EQ(answer->body, "\xff\xfe");
  std::string headers;
  append_field(headers, "content-type", "a/b");
  append_field(headers, "x-a", "2");
  append_field(headers, "x-a", "3");
  append_field(headers, "set-cookie", "c=1");
  EXPECT_EQ(answer->headers, headers);
}

TEST(LambdaAnswer, OfAnythingElse) {
  const std::pair<const char*, const char*> answers[] = {
      {"{\"a\": 1}", "{\"a\": 1}"}, {"\"text\"", "text"}, {"null", "null"}, {"[1]", "[1]"}};
  for (const auto& [returned, body] : answers) {
    const auto answer = answer_of(returned);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(answer->body, body);
    EXPECT_EQ(answer->headers, std::string_view("content-type\0application/json\0", 30));
  }
  const auto plain = answer_of("not JSON");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->body, "not JSON");
  EXPECT_EQ(plain->headers, std::string_view("content-type\0text/plain; charset=utf-8\0", 39));
}

TEST(LambdaAnswer, ThatCannotBeGivenIsAnError) {
  for (const char* returned :
       {R"({"statusCode": 99})", R"({"statusCode": "x"})", R"({"statusCode": {}})",
        R"({"statusCode": 200, "headers": {"x": "a\r\nevil: 1"}})",
        R"({"statusCode": 200, "headers": {"a b": "1"}})", R"({"statusCode": 200, "cookies": ["a\nb"]})",
        R"({"statusCode": 200, "isBase64Encoded": true, "body": "<html>"})",
        R"({"statusCode": 200, "isBase64Encoded": true, "body": "AAAAA"})",
        R"({"statusCode": 200, "isBase64Encoded": true, "body": "AA=A"})"})
    EXPECT_FALSE(answer_of(returned)) << returned;
}

TEST(LambdaAnswer, Base64MayHaveEitherAlphabetLineBreaksAndNoPadding) {
  const auto answer = answer_of(R"({"statusCode": 200, "isBase64Encoded": true, "body": "AP-\nA"})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, std::string_view("\0\xff\x80", 3));
}

TEST(LambdaStream, ThePreludeEndsWithEightZeros) {
  LambdaStream stream("application/vnd.awslambda.http-integration-response");
  stream.take("{\"statusCode\": 202}", false);
  stream.take(std::string_view("\0\0\0\0", 4), false);
  EXPECT_FALSE(stream.has_head());
  stream.take(std::string_view("\0\0\0\0body", 8), false);
  ASSERT_TRUE(stream.has_head());
  EXPECT_EQ(stream.head().status, 202U);
  EXPECT_EQ(stream.take_body(), "body");
  EXPECT_EQ(stream.take_body(), "");
}

TEST(LambdaStream, WithoutAPreludeOrWithABadOne) {
  LambdaStream plain("text/css");
  ASSERT_TRUE(plain.has_head());
  EXPECT_EQ(plain.head().headers, std::string_view("content-type\0text/css\0", 22));
  LambdaStream none("application/vnd.awslambda.http-integration-response");
  none.take("{}", true);
  EXPECT_NE(none.mistake(), "");
  LambdaStream bad("application/vnd.awslambda.http-integration-response");
  bad.take(std::string_view("nonsense\0\0\0\0\0\0\0\0", 16), false);
  EXPECT_NE(bad.mistake(), "");
}

TEST(LambdaFailure, IsReadFromWhatRuntimesReport) {
  const auto failure = failure_of(
      R"({"errorType": "E", "errorMessage": "m", "stackTrace": ["a\n", {"label": "f", "path": "p", "line": 3}]})",
      "T");
  EXPECT_EQ(failure.message, "E: m");
  EXPECT_EQ(failure.stack, "a\nat f (p:3)");
  EXPECT_EQ(failure_of("", "T").message, "T");
  EXPECT_EQ(failure_of("plain words", "").message, "Error: plain words");
  EXPECT_EQ(failure_of("{}", "T").message, "T");
}

TEST(LambdaTrace, FromATraceparent) {
  std::string headers;
  append_field(headers, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(trace_of(headers), "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1");
  std::string own;
  append_field(own, "x-amzn-trace-id", "Root=1-x");
  EXPECT_EQ(trace_of(own), "Root=1-x");
  EXPECT_EQ(trace_of({}), "");
}

}  // namespace
}  // namespace mayfly::exec
