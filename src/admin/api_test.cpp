#include "admin/api.h"

#include <gtest/gtest.h>

#include <fstream>

#include "admin/api_test_support.h"
#include "registry/error.h"

namespace mayfly::admin {
namespace {

using nlohmann::json;

struct Api : testing::Test {
  Response call(std::string_view method, const std::string& target, const std::string& body = "") {
    return daemon.call(table, method, target, {.body = body});
  }
  json get(const std::string& target) { return json::parse(call("GET", target).body); }
  Response deploy(const std::string& name, const std::string& source, const std::string& query = "") {
    const auto file = daemon.folder() / "upload";
    std::ofstream(file) << source;
    return daemon.call(table, "PUT", "/v1/functions/" + name + "?file=hello.js" + query,
                       {.upload = file, .upload_size = source.size()});
  }
  static std::string hello(const std::string& text) {
    return "export default { fetch: () => new Response('" + text + "') };\n";
  }
  static std::string problem(const Response& response) {
    return json::parse(response.body).value("type", "").substr(std::string("urn:mayfly:").size());
  }

  FakeDaemon daemon;
  RouteTable table{api_routes(daemon.services())};
};

TEST_F(Api, ADeployIsAnsweredInLinesToWhoAsksForThem) {
  const auto lines_of = [&](const std::string& query) {
    const auto file = daemon.folder() / "upload";
    std::ofstream(file) << hello("1");
    auto response = daemon.call(table, "PUT", "/v1/functions/hello?file=hello.js" + query,
                                {.headers = {{"accept", "application/x-ndjson"}}, .upload = file});
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "application/x-ndjson");
    LogQueue::Batch batch;
    boost::asio::co_spawn(daemon.context, response.follow->next(std::chrono::milliseconds(0)),
                          [&](const std::exception_ptr&, LogQueue::Batch got) { batch = std::move(got); });
    daemon.context.restart();
    daemon.context.run();
    EXPECT_TRUE(batch.closed);
    return batch.lines;
  };
  auto lines = lines_of("");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(json::parse(lines[0])["status"], 201);
  EXPECT_EQ(json::parse(lines[0])["result"]["address"], "hello@1");
  lines = lines_of("&set=timeot%3D3s");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(json::parse(lines[0])["status"], 422);
  EXPECT_EQ(json::parse(lines[0])["problem"]["type"], "urn:mayfly:registry:bad-config");
}

TEST_F(Api, DeployMakesVersionsAndSaysWhereTheyAnswer) {
  const auto first = deploy("hello", hello("1"));
  ASSERT_EQ(first.status, 201U) << first.body;
  const auto answer = json::parse(first.body);
  EXPECT_EQ(answer["address"], "hello@1");
  EXPECT_EQ(answer["name"], "hello");
  EXPECT_EQ(answer["url"], "http://127.0.0.1:8080/hello");
  EXPECT_EQ(answer["digest"].get<std::string>().size(), 64U);
  EXPECT_FALSE(answer.contains("unchanged"));
  EXPECT_EQ(json::parse(deploy("hello", hello("2")).body)["version"], 2);
  const auto again = deploy("hello", hello("2"));
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(json::parse(again.body)["unchanged"], true);
}

TEST_F(Api, ADeploySaysWhichSettingsAreNotAsBefore) {
  const auto first = deploy("hello", hello("1"), "&set=network%3Dnone&set=secrets%3D&set=env.A%3Dhush");
  EXPECT_FALSE(json::parse(first.body).contains("before"));
  const auto answer = json::parse(deploy("hello", hello("2")).body);
  EXPECT_EQ(answer["before"]["address"], "hello@1");
  EXPECT_EQ(answer["changes"], json::parse(R"([{"key": "env.A", "kind": "lost", "keep": ["env.A=..."]},
                            {"key": "network", "kind": "weakened", "before": "none", "after": "outbound",
                             "keep": ["network=none"]}])"));
  EXPECT_FALSE(json::parse(deploy("hello", hello("3")).body).contains("changes"))
      << "it is as the one before";
}

TEST_F(Api, NoDeployOpensAFunctionByLeavingSomethingOut) {
  ASSERT_EQ(deploy("pay", hello("1"), "&set=access%3Dkey").status, 201U);
  const auto refused = deploy("pay", hello("2"));
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(problem(refused), "registry:opens-access");
  EXPECT_EQ(json::parse(refused.body)["keep"], json::parse(R"(["access=key"])"));
  EXPECT_EQ(get("/v1/functions/pay")["address"], "pay@1") << "what is in service stays";
  ASSERT_EQ(deploy("pay", hello("2"), "&set=access%3Dkey").status, 201U);
  const auto opened = deploy("pay", hello("2"), "&set=access%3Dpublic");
  ASSERT_EQ(opened.status, 201U) << opened.body;
  EXPECT_EQ(json::parse(opened.body)["changes"][0]["kind"], "weakened");
  // The same as a version that is there is no way around it.
  ASSERT_EQ(deploy("pay", hello("3"), "&set=access%3Dkey").status, 201U);
  ASSERT_EQ(deploy("pay", hello("4"), "&set=access%3Dpublic").status, 201U);
  call("POST", "/v1/functions/pay/rollback", R"({"version": 4})");
  EXPECT_EQ(get("/v1/functions/pay")["config"]["access"], "key");
  EXPECT_EQ(deploy("pay", hello("4")).status, 409U);
}

TEST_F(Api, NoRollbackSplitOrAliasLetsInMoreCallersUnlessItSaysSo) {
  deploy("pay", hello("1"));
  deploy("pay", hello("2"), "&set=access%3Dkey");
  const auto refused = call("POST", "/v1/functions/pay/rollback");
  EXPECT_EQ(refused.status, 409U);
  EXPECT_EQ(problem(refused), "registry:opens-access");
  EXPECT_EQ(json::parse(refused.body)["serves"], "pay@2");
  EXPECT_EQ(json::parse(refused.body)["opens"], "pay@1");
  EXPECT_EQ(call("POST", "/v1/functions/pay/rollback", R"({"version": 1})").status, 409U);
  EXPECT_EQ(call("POST", "/v1/functions/pay/rollback", R"({"version": 9})").status, 404U);
  EXPECT_EQ(call("PUT", "/v1/functions/pay/traffic", R"({"weights": {"1": 2, "2": 1}})").status, 409U);
  EXPECT_EQ(get("/v1/functions/pay")["address"], "pay@2") << "what is in service stays";
  EXPECT_EQ(call("PUT", "/v1/functions/pay/traffic?open=true", R"({"weights": {"1": 2, "2": 1}})").status,
            200U);
  EXPECT_EQ(call("PUT", "/v1/functions/pay/aliases/stable", R"({"version": 2})").status, 200U);
  EXPECT_EQ(call("PUT", "/v1/functions/pay/aliases/stable", R"({"version": 1})").status, 409U);
  EXPECT_EQ(call("PUT", "/v1/functions/pay/aliases/stable?open=true", R"({"version": 1})").status, 200U);
  EXPECT_EQ(call("POST", "/v1/functions/pay/rollback", R"({"version": 2})").status, 200U);
  EXPECT_EQ(call("POST", "/v1/functions/pay/rollback?open=true").status, 200U);
  EXPECT_EQ(get("/v1/functions/pay")["address"], "pay@1");
}

TEST_F(Api, SettingsOfADeployAreTakenAndChecked) {
  ASSERT_EQ(deploy("hello", hello("1"), "&set=timeout%3D3s&set=env.A%3Db").status, 201U);
  const auto config = get("/v1/functions/hello")["config"];
  EXPECT_EQ(config["timeout"], "3s");
  EXPECT_EQ(config["env"]["A"], "b");
  const auto refused = deploy("hello", hello("1"), "&set=timeot%3D3s");
  EXPECT_EQ(refused.status, 422U);
  EXPECT_EQ(problem(refused), "registry:bad-config");
}

TEST_F(Api, CodeThatDoesNotLoadIsA422WithItsPlace) {
  daemon.platform.refusal = Error{registry::RegistryErrc::init_failed,
                                  "boom",
                                  {{"file", "hello.js"}, {"line", "3"}, {"stack", "at hello.js:3"}}};
  const auto refused = deploy("hello", hello("1"));
  EXPECT_EQ(refused.status, 422U);
  EXPECT_EQ(refused.content_type, "application/problem+json");
  const auto document = json::parse(refused.body);
  EXPECT_EQ(document["line"], 3);
  EXPECT_EQ(document["stack"], "at hello.js:3");
  EXPECT_EQ(call("GET", "/v1/functions/hello").status, 404U);
}

TEST_F(Api, ListDescribeAndDelete) {
  deploy("b", hello("b"));
  deploy("a", hello("a"));
  const auto functions = get("/v1/functions")["functions"];
  ASSERT_EQ(functions.size(), 2U);
  EXPECT_EQ(functions[0]["name"], "a");
  const auto described = get("/v1/functions/a");
  EXPECT_EQ(described["versions"].size(), 1U);
  EXPECT_EQ(described["live"]["instances"], 0);
  EXPECT_EQ(described["traffic"]["weights"].size(), 1U);
  EXPECT_EQ(call("DELETE", "/v1/functions/a").status, 204U);
  EXPECT_EQ(problem(call("GET", "/v1/functions/a")), "registry:unknown-function");
}

TEST_F(Api, TrafficRollbackAndVersions) {
  for (const char* text : {"1", "2", "3"}) deploy("hello", hello(text));
  const auto split =
      call("PUT", "/v1/functions/hello/traffic", R"({"weights": {"1": 80, "3": 20}, "sticky": "cookie:x"})");
  ASSERT_EQ(split.status, 200U) << split.body;
  EXPECT_EQ(get("/v1/functions/hello/traffic")["weights"], (json{{"1", 80}, {"3", 20}}));
  EXPECT_EQ(get("/v1/functions/hello/traffic")["sticky"], "cookie:x");
  EXPECT_EQ(get("/v1/functions/hello")["version"], 1) << "the one with the most traffic";
  EXPECT_EQ(call("POST", "/v1/functions/hello/rollback", R"({"version": 2})").status, 200U);
  EXPECT_EQ(get("/v1/functions/hello/traffic")["weights"].begin().key(), "2");
  EXPECT_EQ(call("POST", "/v1/functions/hello/rollback").status, 200U);
  EXPECT_EQ(get("/v1/functions/hello/traffic")["weights"].begin().key(), "1");
  EXPECT_EQ(problem(call("DELETE", "/v1/functions/hello/versions/1")), "registry:version-in-use");
  EXPECT_EQ(call("DELETE", "/v1/functions/hello/versions/2").status, 204U);
  EXPECT_EQ(get("/v1/functions/hello/versions")["versions"].size(), 2U);
  EXPECT_EQ(problem(call("DELETE", "/v1/functions/hello/versions/x")), "admin:invalid-parameter");
}

TEST_F(Api, Aliases) {
  deploy("hello", hello("1"));
  EXPECT_EQ(call("PUT", "/v1/functions/hello/aliases/stable", R"({"version": 1})").status, 200U);
  EXPECT_EQ(get("/v1/functions/hello/aliases")["aliases"], (json{{"stable", 1}}));
  EXPECT_EQ(get("/v1/functions/hello/versions")["versions"][0]["aliases"], json::array({"stable"}));
  EXPECT_EQ(call("PUT", "/v1/functions/hello/aliases/stable", R"({"version": 7})").status, 404U);
  EXPECT_EQ(call("DELETE", "/v1/functions/hello/aliases/stable").status, 204U);
  EXPECT_EQ(get("/v1/functions/hello/aliases")["aliases"], json::object());
}

TEST_F(Api, BodiesThatAreNotWhatARouteTakes) {
  deploy("hello", hello("1"));
  for (const char* body : {"not json", "[]", "{}", R"({"weights": 5})", R"({"weights": {"x": 1}})",
                           "\xff\xfe", R"({"weights": {"1": -1}})", R"({"weights": {"1": 1.5}})",
                           R"({"wieghts": {"1": 1}})", R"({"weights": {"1": 1}, "sticky": 3})"}) {
    const auto refused = call("PUT", "/v1/functions/hello/traffic", body);
    EXPECT_EQ(refused.status, 400U) << body;
  }
  for (const char* body : {R"({"version": 0})", R"({"version": "1"})", R"({"version": 99999999999})"})
    EXPECT_EQ(call("POST", "/v1/functions/hello/rollback", body).status, 400U) << body;
}

TEST_F(Api, InvocationsGiveThePayloadAndTheFunctionsAnswer) {
  deploy("hello", hello("1"));
  daemon.operations.answer =
      InvokeAnswer{.status = 418, .headers = {{"X-A", "b"}, {"Content-Length", "9"}}, .body = "teapot"};
  Request request{.headers = {{"Authorization", "Bearer x"}, {"X-Mine", "1"}}, .body = "{}"};
  const auto answer = daemon.call(table, "POST", "/v1/functions/hello@1/invocations", request);
  EXPECT_EQ(answer.status, 418U);
  EXPECT_EQ(answer.body, "teapot");
  EXPECT_EQ(answer.headers, (Headers{{"X-A", "b"}}));
  const auto& seen = daemon.operations.seen;
  EXPECT_EQ(seen.function, "hello@1");
  EXPECT_TRUE(seen.event);
  EXPECT_EQ(seen.headers, (Headers{{"X-Mine", "1"}})) << "the token is not the function's";
  daemon.call(table, "POST", "/v1/functions/hello/invocations?method=GET&path=/a?b%3D1", {});
  EXPECT_FALSE(seen.event);
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.target, "/a?b=1");
  EXPECT_EQ(call("POST", "/v1/functions/nobody/invocations").status, 404U);
  for (const char* query : {"?method=get", "?method=", "?path=x", "?path=/a%20b", "?path=/a%0d%0ab"})
    EXPECT_EQ(call("POST", std::string("/v1/functions/hello/invocations") + query).status, 400U) << query;
}

TEST_F(Api, WhoInvokesSaysNothingOfWhoCalls) {
  deploy("hello", hello("1"));
  const Request request{.headers = {{"Mayfly-Key", "partner"},
                                    {"mayfly_jwt_claims", "e30"},
                                    {"Mayfly-Jwt-Claims", "e30"},
                                    {"Mayfly-Run", "1"},
                                    {"X-Forwarded-Prefix", "/else"},
                                    {"Mayfly-Event", "queue"}},
                        .body = "{}"};
  for (const char* query : {"", "?method=GET&path=/"}) {
    daemon.call(table, "POST", std::string("/v1/functions/hello/invocations") + query, request);
    EXPECT_EQ(daemon.operations.seen.headers, (Headers{{"Mayfly-Event", "queue"}})) << query;
  }
}

TEST_F(Api, SecretsAreSetListedAndDeletedButNeverShown) {
  const auto set = call("PUT", "/v1/secrets/KEY", "the-value");
  EXPECT_EQ(set.status, 201U) << set.body;
  daemon.operations.renewals = {{"pay@1", std::nullopt},
                                {"pay@2", Error{registry::RegistryErrc::init_failed, "why", {}}}};
  const auto changed = json::parse(call("PUT", "/v1/secrets/KEY", "the-value-2").body);
  EXPECT_EQ(changed["renewed"], json::array({"pay@1"}));
  EXPECT_NE(changed["warnings"][0].get<std::string>().find("pay@2 does not load"), std::string::npos);
  EXPECT_EQ(daemon.operations.renewed, (std::vector<std::string>{"KEY", "KEY"}));
  const auto all = call("GET", "/v1/secrets").body;
  EXPECT_EQ((set.body + changed.dump() + all).find("the-value"), std::string::npos);
  EXPECT_EQ(json::parse(all)["secrets"][0]["name"], "KEY");
  EXPECT_EQ(call("GET", "/v1/secrets/KEY").status, 405U);
  EXPECT_EQ(call("DELETE", "/v1/secrets/KEY").status, 204U);
  EXPECT_EQ(problem(call("DELETE", "/v1/secrets/KEY")), "secrets:unknown-secret");
  EXPECT_EQ(problem(call("PUT", "/v1/secrets/A-B", "x")), "secrets:bad-name");
}

TEST_F(Api, ASecretThatAVersionListsIsKeptInItsForm) {
  call("PUT", "/v1/secrets/KEY", "text");
  ASSERT_EQ(deploy("pay", hello("1"), "&set=secrets%3DKEY").status, 201U);
  ASSERT_EQ(deploy("mail", hello("1"), "&set=secrets%3DKEY:file").status, 201U);
  EXPECT_EQ(get("/v1/secrets")["secrets"][0]["functions"], json::array({"mail", "pay"}));
  EXPECT_EQ(get("/v1/functions/mail")["config"]["secrets"], json::array({"KEY:file"}));
  const auto refused = call("DELETE", "/v1/secrets/KEY");
  EXPECT_EQ(refused.status, 409U);
  EXPECT_NE(json::parse(refused.body)["detail"].get<std::string>().find("mail@1, pay@1"), std::string::npos);
  const auto binary = call("PUT", "/v1/secrets/KEY", "\xff");
  EXPECT_EQ(problem(binary), "secrets:bad-value");
  EXPECT_NE(json::parse(binary.body)["detail"].get<std::string>().find("pay@1"), std::string::npos);
  EXPECT_EQ(call("DELETE", "/v1/functions/pay").status, 204U);
  EXPECT_EQ(call("PUT", "/v1/secrets/KEY", "\xff").status, 200U) << "as a file any bytes will do";
  EXPECT_EQ(call("DELETE", "/v1/secrets/KEY?force=true").status, 204U);
}

TEST_F(Api, Evict) {
  deploy("hello", hello("1"));
  EXPECT_EQ(call("POST", "/v1/functions/hello/evict?what=instances").status, 204U);
  EXPECT_EQ(daemon.operations.evicted, "hello");
  EXPECT_EQ(call("POST", "/v1/functions/hello/evict?what=template").status, 204U);
  EXPECT_EQ(daemon.operations.evicted, "hello with templates");
  EXPECT_EQ(call("POST", "/v1/functions/hello/evict?what=all").status, 400U);
  EXPECT_EQ(call("POST", "/v1/functions/nobody/evict").status, 404U);
}

TEST_F(Api, LogsTailAndFollow) {
  deploy("hello", hello("1"));
  const auto answer = call("GET", "/v1/functions/hello/logs?tail=5&invocation=abc");
  EXPECT_EQ(answer.body, "{\"text\":\"one\"}\n{\"text\":\"two\"}\n");
  EXPECT_EQ(answer.content_type, "application/x-ndjson");
  EXPECT_EQ(daemon.operations.logs_asked.tail, 5U);
  EXPECT_EQ(daemon.operations.logs_asked.invocation, "abc");
  EXPECT_FALSE(answer.follow);
  EXPECT_TRUE(call("GET", "/v1/functions/hello/logs?follow=1").follow);
  EXPECT_EQ(call("GET", "/v1/functions/hello/logs?tail=x").status, 400U);
  EXPECT_EQ(call("GET", "/v1/functions/nobody/logs").status, 404U);
}

TEST_F(Api, HealthAndReadiness) {
  EXPECT_EQ(call("GET", "/healthz").status, 200U);
  EXPECT_EQ(call("GET", "/readyz").status, 200U);
  daemon.operations.is_ready = false;
  EXPECT_EQ(call("GET", "/healthz").status, 200U);
  EXPECT_EQ(problem(call("GET", "/readyz")), "admin:not-ready");
  const auto metrics = call("GET", "/metrics").body;
  EXPECT_TRUE(metrics.starts_with("mayfly_up 1\n")) << metrics;
  EXPECT_NE(metrics.find("\nmayfly_events_accepted_total 0\n"), std::string::npos) << "and those of events";
  EXPECT_EQ(get("/v1/openapi.json")["openapi"], "3.1.0");
}

}  // namespace
}  // namespace mayfly::admin
