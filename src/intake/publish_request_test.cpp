#include "intake/publish_request.h"

#include <future>

#include "cloudevents/cloud_event.h"
#include "intake/intake_test_support.h"

namespace mayfly::intake {
namespace {

const auto kBinary =
    "ce-specversion\0001.0\0ce-id\0e1\0ce-source\0/s\0ce-type\0t\0content-type\0text/plain\0"s;
const auto kBatch = R"([{"specversion":"1.0","id":"1","source":"/s","type":"t","partitionkey":"p1"},)"
                    R"({"specversion":"1.0","id":"2","source":"/s","type":"t"}])"s;

std::vector<events::NewEvent> published(const std::string& fields, const std::string& body) {
  auto events = events_of_message("orders", fields, body);
  EXPECT_TRUE(events) << events.error().message;
  return events.value_or(std::vector<events::NewEvent>{});
}
cloudevents::CloudEvent event_of(const events::NewEvent& event) {
  return cloudevents::from_fields(event.fields, event.body);
}

TEST(EventsOfMessage, ABinaryOneHasItsAttributesInFields) {
  const auto events = published(kBinary, "hello");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].form, events::Form::event);
  EXPECT_EQ(event_of(events[0]).get("id"), "e1");
  EXPECT_EQ(events[0].body, "hello");
  EXPECT_TRUE(events[0].partition.empty());
  EXPECT_TRUE(events[0].idempotency_key.empty());
}

TEST(EventsOfMessage, AStructuredOneIsJson) {
  const auto events = published(
      "content-type\0application/cloudevents+json\0"s,
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","partitionkey":"p","data":{"a":1}})");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].partition, "p");
  EXPECT_EQ(events[0].body, R"({"a":1})");
}

TEST(EventsOfMessage, OfABatchEachIsOneOfItsOwnAlsoUnderOneKey) {
  const auto events =
      published("content-type\0application/cloudevents-batch+json\0idempotency-key\0k\0"s, kBatch);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(event_of(events[1]).get("id"), "2");
  EXPECT_EQ(events[0].partition, "p1");
  EXPECT_EQ(events[0].idempotency_key, "k");
  EXPECT_NE(events[1].idempotency_key, "k");
  EXPECT_FALSE(events[1].idempotency_key.empty());
}

TEST(EventsOfMessage, AKeyIsOfItsCallerAloneAndNoneOfABatch) {
  const auto key = [](const std::string& fields, const std::string& body = "x") {
    return published(fields, body).back().idempotency_key;
  };
  const auto own = key("idempotency-key\0k\0mayfly-key\0one\0"s);
  EXPECT_EQ(own, key("mayfly-key\0one\0idempotency-key\0k\0"s));
  EXPECT_NE(own, key("idempotency-key\0k\0mayfly-key\0other\0"s));
  EXPECT_NE(own, key("idempotency-key\0k\0"s));
  EXPECT_NE(key("content-type\0application/cloudevents-batch+json\0idempotency-key\0k\0"s, kBatch),
            key("idempotency-key\0k#1\0"s));
}

TEST(EventsOfMessage, AnyBodyIsAnEvent) {
  const auto events = published("content-type\0image/png\0"s, "\xff\x00"s);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(event_of(events[0]).get("source"), "/topics/orders");
  EXPECT_EQ(event_of(events[0]).get("type"), "mayfly.published");
  EXPECT_EQ(event_of(events[0]).get("id").size(), 32U);
  EXPECT_NE(event_of(published({}, "a")[0]).get("id"), event_of(published({}, "a")[0]).get("id"));
}

TEST(EventsOfMessage, TheFieldForThePartitionCountsMoreThanTheAttribute) {
  EXPECT_EQ(published(kBinary + "ce-partitionkey\0a\0mayfly-partition\0b\0"s, "x")[0].partition, "b");
}

TEST(EventsOfMessage, WhatIsTooLongOrNoEventIsRefused) {
  const auto long_one = std::string(256, 'x') + "\0"s;
  EXPECT_EQ(events_of_message("t", "idempotency-key\0"s + long_one, "x").error().code,
            IntakeErrc::bad_request);
  EXPECT_EQ(events_of_message("t", "mayfly-partition\0"s + long_one, "x").error().code,
            IntakeErrc::bad_request);
  EXPECT_FALSE(events_of_message("t", "content-type\0application/cloudevents+json\0"s, "{}"));
}

TEST(TopicOf, OnlyANameRightBelowThePath) {
  EXPECT_EQ(topic_of("/topics/orders"), "orders");
  EXPECT_EQ(topic_of("/topics/orders?x=/y"), "orders");
  for (const char* other : {"/topics/", "/topics", "/topics/a/b", "/topics/a/", "/topicsx/a", "/"})
    EXPECT_FALSE(topic_of(other)) << other;
}

struct PublishRequestTest : IntakeTest {
  std::shared_ptr<PublishRequest> request = std::make_shared<PublishRequest>(place(), *engine_of(), "orders");
  events::Engine* engine_of() {
    with_engine();
    std::promise<void> made;
    engine->make_topic("orders", true, [&](const auto&) { made.set_value(); });
    made.get_future().wait();
    return engine.get();
  }
};

TEST_F(PublishRequestTest, AnEventIsAcceptedAndItsIdTold) {
  const auto client = submit(*request, "POST", "/topics/orders", kBinary, "hello");
  ASSERT_TRUE(answered(*client));
  EXPECT_EQ(client->status, 202U);
  ASSERT_EQ(client->json()["events"].size(), 1U);
  EXPECT_TRUE(events::parse_delivery_id(client->json()["events"][0].get<std::string>()));
}

TEST_F(PublishRequestTest, ABatchThatComesAgainUnderItsKeyIsTheSame) {
  const auto fields = "content-type\0application/cloudevents-batch+json\0idempotency-key\0k\0"s;
  const auto first = submit(*request, "POST", "/topics/orders", fields, kBatch);
  ASSERT_TRUE(answered(*first));
  const auto other = std::make_shared<PublishRequest>(place(), *engine, "orders");
  const auto second = submit(*other, "POST", "/topics/orders", fields, kBatch);
  ASSERT_TRUE(answered(*second));
  EXPECT_EQ(first->json(), second->json());
  EXPECT_EQ(first->json()["events"].size(), 2U);
}

TEST_F(PublishRequestTest, ABatchOfNoneIsAcceptedAndOtherMethodsAreNot) {
  const auto none =
      submit(*request, "POST", "/topics/orders", "content-type\0application/cloudevents-batch+json\0"s, "[]");
  ASSERT_TRUE(answered(*none));
  EXPECT_EQ(none->status, 202U);
  const auto get =
      submit(*std::make_shared<PublishRequest>(place(), *engine, "orders"), "GET", "/topics/orders");
  ASSERT_TRUE(answered(*get));
  EXPECT_EQ(get->failure.value().code, IntakeErrc::not_allowed);
  EXPECT_EQ(get->failure->detail("allow"), "POST, OPTIONS");
}

}  // namespace
}  // namespace mayfly::intake
