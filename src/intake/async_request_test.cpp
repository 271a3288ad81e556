// What is not waited for: accepted, then asked about, and cancelled.
#include "intake/async_request.h"

#include <future>

#include "intake/intake_test_support.h"
#include "intake/status_request.h"

namespace mayfly::intake {
namespace {

using events::EventsErrc;

struct AsyncRequestTest : IntakeTest {
  AsyncRequestTest() {
    with_engine();
    engine->set_function("f", events::FunctionEvents{});
    deliverer.verdict.answer = {201, "x-answer\0yes\0content-length\0004\0"s, "done"};
  }
  std::unique_ptr<Client> accept(const std::string& headers = {}, const std::string& body = "body",
                                 const std::string& reference = {}) {
    const auto request = std::make_shared<AsyncRequest>(place(), 1'000, *engine, "f", reference);
    auto client = submit(*request, "PUT", "/a?b=1", headers, body);
    EXPECT_TRUE(answered(*client));
    return client;
  }
  std::unique_ptr<Client> ask(std::string_view method, const std::string& path) {
    const auto request = std::make_shared<StatusRequest>(place(), *engine);
    auto client = submit(*request, method, path);
    EXPECT_TRUE(answered(*client));
    return client;
  }
  static std::string url_of(const Client& client) { return client.json()["url"]; }
  std::unique_ptr<Client> ended(const std::string& url) {
    auto client = ask("GET", url);
    while (!HasFailure() && client->json()["status"] != "succeeded") client = ask("GET", url);
    return client;
  }
  events::EventPtr event_of(const Client& client) {
    auto found = std::make_shared<std::promise<events::EventPtr>>();
    const auto id = events::parse_delivery_id(client.json()["invocation"].get<std::string>());
    engine->find(id.value(), [found](auto record) { found->set_value(record.value().event); });
    return found->get_future().get();
  }
  std::string id_of(const Client& client) { return client.json()["invocation"]; }
};

TEST_F(AsyncRequestTest, IsAnsweredWithWhereItsFateIsToBeFound) {
  const auto client = accept();
  EXPECT_EQ(client->status, 202U);
  EXPECT_EQ(client->invocation.id_text(), id_of(*client));
  EXPECT_TRUE(client->headers.contains("location\0"s + url_of(*client) + "\0"s));
  EXPECT_TRUE(client->headers.contains("preference-applied\0respond-async\0"s));
  const auto status = ended(url_of(*client));
  EXPECT_EQ(status->json()["attempts"], 1);
  const auto result = ask("GET", url_of(*client) + "/result");
  EXPECT_EQ(result->status, 201U);
  EXPECT_EQ(result->body, "done");
  EXPECT_EQ(result->headers, "x-answer\0yes\0"s) << "not what is about the connection it came on";
}

TEST_F(AsyncRequestTest, TheRequestIsKeptAsItCame) {
  const auto event =
      event_of(*accept("x-own\0001\0prefer\0respond-async\0mayfly-reference\0009\0"s, "body", "3"));
  EXPECT_EQ(event->form, events::Form::request);
  EXPECT_EQ(event->method, "PUT");
  EXPECT_EQ(event->target, "/a?b=1");
  EXPECT_EQ(event->body, "body");
  EXPECT_EQ(event->fields, "mayfly-reference\0003\0x-own\0001\0content-length\0004\0"s);
}

TEST_F(AsyncRequestTest, TheSameKeyIsTheSameInvocation) {
  const auto key = "idempotency-key\0k\0"s;
  const auto first = accept(key);
  EXPECT_EQ(id_of(*accept(key)), id_of(*first));
  const auto other = accept(key, "another");
  EXPECT_EQ(other->failure.value().code, EventsErrc::idempotency_mismatch);
  const auto too_long = accept("idempotency-key\0"s + std::string(256, 'x') + "\0"s);
  EXPECT_EQ(too_long->failure.value().code, IntakeErrc::bad_request);
}

TEST_F(AsyncRequestTest, AnotherCallersKeyIsAnotherOne) {
  const auto key = "idempotency-key\0k\0"s;
  const auto first = id_of(*accept(key + "mayfly-key\0one\0"s));
  EXPECT_EQ(id_of(*accept(key + "mayfly-key\0one\0"s)), first);
  EXPECT_NE(id_of(*accept(key + "mayfly-key\0two\0"s)), first);
  EXPECT_NE(id_of(*accept(key + "authorization\0Bearer one\0"s)), first);
  EXPECT_NE(id_of(*accept(key + "authorization\0Bearer one\0"s)),
            id_of(*accept(key + "authorization\0Bearer two\0"s)));
}

TEST_F(AsyncRequestTest, ACallerWithANewTokenIsTheSameOne) {
  // {"sub":"a","exp":1}, {"sub":"a","exp":2}, {"sub":"b","exp":1}
  const auto with = [&](const std::string& claims, const std::string& token) {
    return id_of(
        *accept("idempotency-key\0k\0mayfly-jwt-claims\0"s + claims + "\0authorization\0"s + token + "\0"s));
  };
  const auto first = with("eyJzdWIiOiJhIiwiZXhwIjoxfQ", "1");
  EXPECT_EQ(with("eyJzdWIiOiJhIiwiZXhwIjoyfQ", "2"), first);
  EXPECT_NE(with("eyJzdWIiOiJiIiwiZXhwIjoxfQ", "1"), first);
}

TEST_F(AsyncRequestTest, NobodyElsesIdIsAnswered) {
  auto id = id_of(*accept());
  id.back() = id.back() == '0' ? '1' : '0';
  for (const std::string rest : {"", "/result"}) {
    const auto client = ask("GET", std::string(kInvocationsPath) + id + rest);
    EXPECT_EQ(client->failure.value().code, EventsErrc::unknown_delivery);
  }
  EXPECT_EQ(ask("DELETE", std::string(kInvocationsPath) + id)->failure.value().code,
            EventsErrc::unknown_delivery);
  for (const char* other : {"", "x", "../x", "00/result/x"})
    EXPECT_EQ(ask("GET", std::string(kInvocationsPath) + other)->failure.value().code,
              EventsErrc::unknown_delivery);
}

TEST_F(AsyncRequestTest, WhatWaitsIsCancelledOnceAndHasNoResult) {
  std::promise<void> paused;
  engine->queues([](const auto&) {});
  const auto probe = accept();  // its queue is there when this has ended
  (void)ended(url_of(*probe));
  engine->pause("function:f", true, [&](const auto&) { paused.set_value(); });
  paused.get_future().wait();
  const auto url = url_of(*accept());
  const auto waiting = ask("GET", url + "/result");
  EXPECT_EQ(waiting->status, 202U);
  EXPECT_TRUE(waiting->headers.contains("retry-after"));
  EXPECT_EQ(ask("DELETE", url)->json()["status"], "cancelled");
  EXPECT_EQ(ask("DELETE", url)->failure.value().code, EventsErrc::delivery_ended);
  const auto result = ask("HEAD", url + "/result");
  EXPECT_EQ(result->failure.value().code, EventsErrc::no_result);
  EXPECT_EQ(result->failure->detail("state"), "cancelled");
}

TEST_F(AsyncRequestTest, OtherMethodsAreTold) {
  const auto url = url_of(*accept());
  EXPECT_EQ(ask("PATCH", url)->failure.value().detail("allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(ask("DELETE", url + "/result")->failure.value().detail("allow"), "GET, HEAD");
}

TEST_F(AsyncRequestTest, AClientThatLeftMayComeBackForIt) {
  const auto request = std::make_shared<AsyncRequest>(place(), 1'000, *engine, "f", "");
  auto client = submit(*request, "POST", "/", "idempotency-key\0k\0"s, "body");
  run();
  request->cancel(client->invocation);
  client.reset();
  const auto again = std::make_shared<AsyncRequest>(place(), 1'000, *engine, "f", "");
  const auto second = submit(*again, "POST", "/", "idempotency-key\0k\0"s, "body");
  ASSERT_TRUE(answered(*second));
  EXPECT_EQ(event_of(*second)->position, 1U);
}

}  // namespace
}  // namespace mayfly::intake
