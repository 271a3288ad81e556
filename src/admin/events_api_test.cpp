// The endpoints about events, against the engine and its store with a deliverer that does as it is told.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "admin/api.h"
#include "admin/api_test_support.h"

namespace mayfly::admin {
namespace {

using namespace std::string_literals;
using events::Verdict;
using nlohmann::json;

struct EventsApi : testing::Test {
  Response call(std::string_view method, const std::string& target) {
    return daemon.call(table, method, target);
  }
  json get(const std::string& target) {
    const auto answer = call("GET", target);
    EXPECT_EQ(answer.status, 200U) << target << " " << answer.body;
    return json::parse(answer.body);
  }
  void deploy(const std::string& name) {
    const auto file = daemon.folder() / "upload";
    std::ofstream(file) << "export default { fetch() {} };\n";
    const auto answer = daemon.call(table, "PUT", "/v1/functions/" + name + "?file=hello.js",
                                    {.upload = file, .upload_size = 30});
    ASSERT_LT(answer.status, 300U) << answer.body;
  }
  Response invoke(const std::string& name, std::string body = "{}", Headers headers = {}) {
    headers.emplace_back("Prefer", "respond-async");
    return daemon.call(table, "POST", "/v1/functions/" + name,
                       {.headers = std::move(headers), .body = std::move(body)});
  }
  std::string accepted(const std::string& name, const std::string& body = "{}") {
    const auto answer = invoke(name + "/invocations", body);
    EXPECT_EQ(answer.status, 202U) << answer.body;
    return json::parse(answer.body).value("invocation", "");
  }
  static void until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::yield();
    }
  }
  /// Asks until it is in this state.
  json settled(const std::string& id, const std::string& state) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    json now;
    do {
      now = get("/v1/invocations/" + id);
      if (now["status"] == state) return now;
      std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < until);
    ADD_FAILURE() << id << " did not become " << state << ": " << now.dump(2);
    return now;
  }
  static std::string problem(const Response& response) {
    return json::parse(response.body).value("type", "").substr(std::string("urn:mayfly:").size());
  }
  static std::string detail(const Response& response) {
    return json::parse(response.body).value("detail", "");
  }
  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return "";
  }
  static Verdict dead() {
    Verdict verdict;
    verdict.kind = Verdict::Kind::hopeless;
    verdict.version = "hello@1";
    verdict.type = "urn:mayfly:pool:handler-threw";
    verdict.message = "boom";
    return verdict;
  }

  FakeDaemon daemon;
  RouteTable table{api_routes(daemon.services())};
};

TEST_F(EventsApi, WhatIsAcceptedIsDeliveredAndItsAnswerKept) {
  deploy("hello");
  const std::string binary("\xff\0answer", 8);
  daemon.deliverer.judge([&](const auto&) {
    Verdict verdict;
    verdict.version = "hello@1";
    verdict.answer = events::Answer{
        201, std::string("content-type\0image/png\0x-mine\0yes\0set-cookie\0a=b\0", 49), binary};
    return verdict;
  });
  const std::string payload("\0\xfe payload", 10);
  const auto answer = invoke("hello@1/invocations", payload,
                             {{"X-Mine", "1"}, {"Authorization", "Bearer x"}, {"Cookie", "c"}});
  ASSERT_EQ(answer.status, 202U) << answer.body;
  const auto id = json::parse(answer.body)["invocation"].get<std::string>();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(header(answer, "Location"), "/v1/invocations/" + id);
  EXPECT_EQ(header(answer, "Preference-Applied"), "respond-async");

  const auto done = settled(id, "succeeded");
  EXPECT_EQ(done["invocation"], id) << "it has one name";
  EXPECT_EQ(done["function"], "hello");
  EXPECT_EQ(done["queue"], "function:hello");
  EXPECT_EQ(done["attempts"], 1);
  EXPECT_EQ(done["history"][0]["version"], "hello@1");
  EXPECT_EQ(done["result"]["status"], 201);
  EXPECT_EQ(done["event"]["form"], "payload");
  EXPECT_EQ(done["event"]["reference"], "1");
  EXPECT_EQ(done["event"]["bytes"], 10);
  EXPECT_EQ(done["event"]["fields"], json::parse(R"x([["x-mine", "1"], ["cookie", "(not shown)"]])x"));

  const auto result = call("GET", "/v1/invocations/" + id + "/result");
  EXPECT_EQ(result.status, 200U);
  EXPECT_EQ(header(result, "Mayfly-Status"), "201");
  EXPECT_EQ(header(result, "Mayfly-State"), "succeeded");
  EXPECT_EQ(header(result, "x-mine"), "yes");
  EXPECT_EQ(header(result, "set-cookie"), "");
  EXPECT_EQ(result.content_type, "image/png");
  EXPECT_EQ(result.body, binary);
  EXPECT_EQ(call("GET", "/v1/invocations/" + id + "/event").body, payload);
  const auto task = daemon.deliverer.seen().at(0);
  EXPECT_EQ(events::to_text(task.items[0].id), id) << "logs go by the same name";
  EXPECT_EQ(task.items[0].event->body, payload);
}

TEST_F(EventsApi, MethodAndPathMakeItARequest) {
  deploy("hello");
  const auto answer = invoke("hello/invocations?method=PUT&path=/a?b%3D1");
  ASSERT_EQ(answer.status, 202U) << answer.body;
  const auto event = settled(json::parse(answer.body)["invocation"], "succeeded")["event"];
  EXPECT_EQ(event["form"], "request");
  EXPECT_EQ(event["method"], "PUT");
  EXPECT_EQ(event["target"], "/a?b=1");
}

TEST_F(EventsApi, WhoInvokesSaysNothingOfWhoCalls) {
  deploy("hello");
  const auto answer = invoke("hello/invocations?method=GET&path=/", "",
                             {{"Mayfly-Key", "partner"}, {"Mayfly_Jwt_Claims", "e30"}, {"X-Mine", "1"}});
  ASSERT_EQ(answer.status, 202U) << answer.body;
  settled(json::parse(answer.body)["invocation"], "succeeded");
  EXPECT_EQ(daemon.deliverer.seen().at(0).items[0].event->fields, "x-mine\0001\0"s);
}

TEST_F(EventsApi, WhatCannotBeAcceptedIsRefusedAtOnce) {
  deploy("hello");
  EXPECT_EQ(problem(invoke("helo/invocations")), "registry:unknown-function");
  EXPECT_EQ(problem(invoke("hello@7/invocations")), "registry:unknown-version");
  EXPECT_EQ(problem(invoke("hello@stable/invocations")), "registry:unknown-version");
  EXPECT_EQ(problem(invoke("hello/invocations", std::string((16U << 20U) + 1, 'x'))),
            "intake:body-too-large");
  EXPECT_EQ(problem(invoke("hello/invocations", "{}", {{"Idempotency-Key", std::string(256, 'k')}})),
            "intake:bad-request");
  EXPECT_TRUE(daemon.deliverer.seen().empty());
}

TEST_F(EventsApi, OnlyRespondAsyncIsNotWaitedFor) {
  deploy("hello");
  const auto status = [&](const std::string& prefer) {
    return daemon
        .call(table, "POST", "/v1/functions/hello/invocations",
              {.headers = {{"Prefer", prefer}}, .body = "{}"})
        .status;
  };
  EXPECT_EQ(status("wait=3, Respond-Async"), 202U);
  EXPECT_EQ(status("respond-async; x=y"), 202U);
  EXPECT_EQ(status("respond-asynchronously"), 200U);
  EXPECT_EQ(status("return=respond-async"), 200U);
}

TEST_F(EventsApi, AnIdempotencyKeyIsOneInvocation) {
  deploy("hello");
  const auto once = invoke("hello/invocations", "1", {{"idempotency-key", "k"}});
  const auto id = json::parse(once.body)["invocation"].get<std::string>();
  settled(id, "succeeded");
  const auto again = json::parse(invoke("hello/invocations", "1", {{"Idempotency-Key", "k"}}).body);
  EXPECT_EQ(again["invocation"], id);
  EXPECT_EQ(again["status"], "succeeded");
  EXPECT_EQ(problem(invoke("hello/invocations", "2", {{"Idempotency-Key", "k"}})),
            "events:idempotency-mismatch");
  EXPECT_EQ(daemon.deliverer.seen().size(), 1U);
}

TEST_F(EventsApi, WhatRunsIsListedAndCanBeCancelled) {
  deploy("hello");
  deploy("other");
  daemon.deliverer.hold();
  const auto id = accepted("hello");
  const auto other = accepted("other");
  settled(id, "running");
  settled(other, "running");
  const auto waiting = call("GET", "/v1/invocations/" + id + "/result");
  EXPECT_EQ(waiting.status, 202U);
  EXPECT_EQ(header(waiting, "Retry-After"), "1");
  EXPECT_EQ(get("/v1/invocations")["invocations"].size(), 2U);
  EXPECT_EQ(get("/v1/invocations?state=running")["invocations"].size(), 2U);
  const auto mine = get("/v1/invocations?function=hello")["invocations"];
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine[0]["invocation"], id);
  EXPECT_EQ(mine[0]["status"], "running");
  EXPECT_TRUE(get("/v1/invocations?function=hello&state=queued")["invocations"].empty());
  EXPECT_EQ(problem(call("POST", "/v1/invocations/" + id + "/retry")), "events:delivery-running");

  const auto cancelled = call("DELETE", "/v1/invocations/" + id);
  EXPECT_EQ(cancelled.status, 200U) << cancelled.body;
  // The attempt that was told succeeded all the same: that is what it came to.
  EXPECT_EQ(json::parse(cancelled.body)["status"], "succeeded");
  EXPECT_EQ(problem(call("DELETE", "/v1/invocations/" + id)), "events:delivery-ended");
  EXPECT_EQ(call("POST", "/v1/invocations/" + id + "/retry").status, 200U);
  settled(id, "running");
  daemon.deliverer.let_go();
  settled(id, "succeeded");
  EXPECT_EQ(problem(call("GET", "/v1/invocations/" + id + "/result")), "events:no-result");
}

TEST_F(EventsApi, ListsGoPageByPage) {
  deploy("hello");
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(accepted("hello", std::to_string(i)));
  for (const auto& id : ids) settled(id, "succeeded");
  std::vector<std::string> read;
  for (std::string before; read.size() < 5;) {
    const auto page = get("/v1/queues/hello/deliveries?limit=2" + before)["deliveries"];
    ASSERT_FALSE(page.empty());
    for (const auto& one : page) read.push_back(one["invocation"]);
    before = "&before=" + read.back();
  }
  std::ranges::reverse(read);
  EXPECT_EQ(read, ids) << "the newest first";
  EXPECT_EQ(get("/v1/invocations?function=hello&limit=1&before=" + ids[2])["invocations"][0]["invocation"],
            ids[1]);
  deploy("other");
  settled(accepted("other"), "succeeded");
  EXPECT_EQ(problem(call("GET", "/v1/invocations?before=" + ids[2])), "admin:invalid-parameter");
  EXPECT_EQ(problem(call("GET", "/v1/invocations?function=nobody")), "registry:unknown-function");
  EXPECT_NE(detail(call("GET", "/v1/invocations?state=ded")).find("did you mean 'dead'?"), std::string::npos);
  for (const char* query : {"?limit=x", "?limit=1001", "?before=7"})
    EXPECT_EQ(call("GET", std::string("/v1/queues/hello/deliveries") + query).status, 400U) << query;
}

TEST_F(EventsApi, DeadLettersAreKeptRedrivenAndForgotten) {
  deploy("hello");
  daemon.deliverer.judge([](const auto&) { return dead(); });
  const auto first = accepted("hello", "1");
  const auto second = accepted("hello", "2");
  const auto letter = settled(first, "dead");
  settled(second, "dead");
  EXPECT_EQ(letter["history"][0]["type"], "urn:mayfly:pool:handler-threw");
  EXPECT_EQ(letter["history"][0]["message"], "boom") << "who may read here may read this";
  EXPECT_EQ(problem(call("GET", "/v1/invocations/" + first + "/result")), "events:no-result");
  EXPECT_EQ(get("/v1/queues")["queues"][0]["dead_letters"], 2);
  EXPECT_EQ(get("/v1/queues/hello/deliveries?state=dead")["deliveries"].size(), 2U);

  const auto still = json::parse(call("POST", "/v1/queues/hello/redrive?limit=1").body);
  EXPECT_EQ(still["redriven"], 1);
  EXPECT_EQ(settled(second, "dead")["attempts"], 1) << "a redrive begins from the beginning";
  daemon.deliverer.judge([](const auto&) { return Verdict{}; });
  EXPECT_EQ(json::parse(call("POST", "/v1/queues/hello/redrive").body)["redriven"], 2);
  settled(first, "succeeded");
  settled(second, "succeeded");
  EXPECT_EQ(json::parse(call("POST", "/v1/queues/hello/redrive").body)["redriven"], 0);

  EXPECT_EQ(call("DELETE", "/v1/queues/hello/deliveries").status, 400U);
  EXPECT_EQ(call("DELETE", "/v1/queues/hello/deliveries?state=queued").status, 400U);
  EXPECT_EQ(json::parse(call("DELETE", "/v1/queues/hello/deliveries?state=dead").body)["purged"], 0);
  EXPECT_EQ(json::parse(call("DELETE", "/v1/queues/hello/deliveries?state=succeeded").body)["purged"], 2);
  EXPECT_EQ(problem(call("GET", "/v1/invocations/" + first)), "events:unknown-delivery");
}

TEST_F(EventsApi, AQueueThatIsPausedAcceptsAndWaits) {
  deploy("hello");
  accepted("hello");  // the queue is there
  EXPECT_EQ(json::parse(call("POST", "/v1/queues/hello/pause").body)["paused"], true);
  const auto id = accepted("hello");
  EXPECT_EQ(get("/v1/queues?function=hello")["queues"][0]["paused"], true);
  EXPECT_EQ(settled(id, "queued")["attempts"], 0);
  EXPECT_EQ(get("/v1/invocations?state=queued")["invocations"][0]["invocation"], id);
  EXPECT_EQ(json::parse(call("DELETE", "/v1/invocations/" + id).body)["status"], "cancelled");
  const auto other = accepted("hello");
  EXPECT_EQ(json::parse(call("POST", "/v1/queues/hello/resume").body)["paused"], false);
  settled(other, "succeeded");
  EXPECT_EQ(get("/v1/invocations/" + id)["status"], "cancelled");
}

TEST_F(EventsApi, AMistypedQueueGetsASuggestion) {
  deploy("hello");
  settled(accepted("hello"), "succeeded");
  for (const auto& [method, rest] :
       std::vector<std::pair<std::string, std::string>>{{"POST", "/pause"},
                                                        {"POST", "/redrive"},
                                                        {"GET", "/deliveries"},
                                                        {"DELETE", "/deliveries?state=dead"}}) {
    const auto answer = call(method, "/v1/queues/helo" + rest);
    EXPECT_EQ(problem(answer), "events:unknown-queue") << rest;
    EXPECT_NE(detail(answer).find("did you mean 'function:hello'?"), std::string::npos) << answer.body;
  }
}

TEST_F(EventsApi, TopicsAreMadeAndShowWhoSubscribes) {
  EXPECT_TRUE(get("/v1/topics")["topics"].empty());
  EXPECT_EQ(call("PUT", "/v1/topics/orders").status, 201U);
  EXPECT_EQ(call("PUT", "/v1/topics/orders").status, 200U);
  EXPECT_EQ(call("PUT", "/v1/topics/a%20b").status, 400U);
  EXPECT_EQ(call("PUT", "/v1/topics/a%2Fb").status, 400U);
  events::FunctionEvents mail;
  mail.subscriptions.push_back({"orders", {}, {}});
  daemon.events().set_function("mail", mail);
  json topics;
  until([&] {
    topics = get("/v1/topics")["topics"];
    return !topics[0]["subscriptions"].empty();
  });
  EXPECT_EQ(topics[0]["topic"], "orders");
  EXPECT_EQ(topics[0]["subscriptions"][0]["queue"], "orders>mail");
  for (const char* name : {"orders%3Email", "orders%2Fmail"})
    EXPECT_EQ(call("GET", std::string("/v1/queues/") + name + "/deliveries").status, 200U) << name;
}

TEST_F(EventsApi, WhatIsPublishedComesToThoseWhoSubscribe) {
  const auto publish = [&](const std::string& topic, Headers headers, std::string body) {
    return daemon.call(table, "POST", "/v1/topics/" + topic + "/events",
                       {.headers = std::move(headers), .body = std::move(body)});
  };
  events::FunctionEvents mail;
  mail.subscriptions.push_back({"orders", {}, {}});
  daemon.events().set_function("mail", mail);
  until([&] { return !get("/v1/queues?function=mail")["queues"].empty(); });
  const std::string binary("\0\xff", 2);
  const auto answer = publish("orders",
                              {{"Content-Type", "image/png"},
                               {"Authorization", "Bearer x"},
                               {"ce-subject", "cat"},
                               {"Mayfly-Partition", "p"}},
                              binary);
  ASSERT_EQ(answer.status, 202U) << answer.body;
  const auto id = json::parse(answer.body)["events"].at(0).get<std::string>();
  const auto done = settled(id, "succeeded");
  EXPECT_EQ(done["queue"], "orders>mail");
  EXPECT_EQ(done["event"]["partition"], "p");
  EXPECT_EQ(done["event"]["fields"].dump().find("Bearer"), std::string::npos);
  const auto event = daemon.deliverer.seen().at(0).items.at(0).event;
  EXPECT_EQ(event->body, binary);
  EXPECT_NE(event->fields.find(std::string("subject\0cat\0", 12)), std::string::npos);
  EXPECT_EQ(call("GET", "/v1/invocations/" + id + "/event").content_type, "image/png");
  const auto batch = publish("orders", {{"Content-Type", "application/cloudevents-batch+json"}},
                             R"([{"specversion":"1.0","id":"1","source":"/s","type":"t"},
                                 {"specversion":"1.0","id":"2","source":"/s","type":"t"}])");
  EXPECT_EQ(json::parse(batch.body)["events"].size(), 2U) << batch.body;
  EXPECT_TRUE(
      json::parse(
          publish("orders", {{"Content-Type", "application/cloudevents-batch+json"}}, "[]").body)["events"]
          .empty());
  EXPECT_EQ(problem(publish("orders", {{"Content-Type", "application/cloudevents+json"}}, "{}")),
            "cloudevents:bad-event");
  EXPECT_EQ(problem(publish("orders", {}, std::string((16U << 20U) + 1, 'x'))), "intake:body-too-large");
  const auto nowhere = publish("oders", {}, "x");
  EXPECT_EQ(problem(nowhere), "events:unknown-topic");
  EXPECT_NE(detail(nowhere).find("did you mean 'orders'?"), std::string::npos);
}

TEST_F(EventsApi, ATopicIsOpenOrNotAsWished) {
  const auto make = [&](const std::string& body) {
    return daemon.call(table, "PUT", "/v1/topics/orders", {.body = body});
  };
  EXPECT_EQ(json::parse(make("").body)["open"], false);
  EXPECT_EQ(json::parse(make(R"({"open": true})").body)["open"], true);
  EXPECT_EQ(json::parse(make("{}").body)["open"], true) << "nothing was said of it";
  EXPECT_EQ(get("/v1/topics")["topics"][0]["open"], true);
  EXPECT_EQ(json::parse(make(R"({"open": false})").body)["open"], false);
  EXPECT_EQ(problem(make(R"({"open": 1})")), "admin:invalid-body");
}

TEST_F(EventsApi, SchedulesAreListedRunAndPaused) {
  events::FunctionEvents report;
  events::ScheduleSpec spec;
  spec.text = "0 3 * * *";
  spec.timezone = "Europe/Berlin";
  spec.payload = "\"x\"";
  spec.next = [](WallTime after) { return std::optional(after + std::chrono::hours(24)); };
  spec.since = std::chrono::system_clock::now();
  report.schedules.push_back(spec);
  daemon.events().set_function("report", report);
  json all;
  until([&] {
    all = get("/v1/schedules")["schedules"];
    return all.size() == 1U;
  });
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["when"], "0 3 * * *");
  EXPECT_EQ(all[0]["function"], "report");
  EXPECT_TRUE(all[0].contains("next"));
  EXPECT_FALSE(all[0].contains("last"));

  const auto ran = call("POST", "/v1/schedules/report/run");
  ASSERT_EQ(ran.status, 202U) << ran.body;
  const auto id = json::parse(ran.body)["invocation"].get<std::string>();
  EXPECT_EQ(settled(id, "succeeded")["event"]["form"], "schedule");
  EXPECT_EQ(json::parse(call("POST", "/v1/schedules/report/pause").body)["paused"], true);
  EXPECT_EQ(get("/v1/schedules")["schedules"][0]["paused"], true);
  const std::string whole = "schedule%3Areport%3A0%203%20*%20*%20*%20Europe%2FBerlin";
  EXPECT_EQ(json::parse(call("POST", "/v1/schedules/" + whole + "/resume").body)["paused"], false);
  EXPECT_NE(detail(call("POST", "/v1/schedules/reprot/run")).find("did you mean 'report'?"),
            std::string::npos);
  spec.text = "@daily";
  report.schedules.push_back(spec);
  daemon.events().set_function("report", report);
  until([&] {
    all = get("/v1/schedules")["schedules"];
    return all.size() == 2U;
  });
  EXPECT_EQ(problem(call("POST", "/v1/schedules/report/run")), "admin:invalid-parameter");
}

TEST_F(EventsApi, IdsThatNobodyHas) {
  for (const char* id : {"7", "00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff"})
    for (const auto& [method, rest] : std::vector<std::pair<std::string, std::string>>{
             {"GET", ""}, {"GET", "/result"}, {"GET", "/event"}, {"DELETE", ""}, {"POST", "/retry"}})
      EXPECT_EQ(problem(call(method, std::string("/v1/invocations/") + id + rest)), "events:unknown-delivery")
          << method << rest;
}

TEST_F(EventsApi, MetricsTellOfQueuesAndTheStore) {
  deploy("hello");
  daemon.deliverer.judge([](const auto&) { return dead(); });
  settled(accepted("hello"), "dead");
  const auto page = call("GET", "/metrics").body;
  for (const char* line :
       {"mayfly_up 1\n",
        "mayfly_queue_deliveries_total{queue=\"function:hello\",function=\"hello\",outcome=\"dead\"} 1\n",
        "mayfly_queue_dead_letters{queue=\"function:hello\",function=\"hello\"} 1\n",
        "# TYPE mayfly_queue_backlog gauge\n", "mayfly_events_accepted_total 1\n",
        "mayfly_event_store_commits_total "})
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
}

}  // namespace
}  // namespace mayfly::admin
