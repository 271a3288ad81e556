#include "exec/lambda_records.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace mayfly::exec {
namespace {

using nlohmann::json;

/// A message as docs/wire.md has it; `more`: its attributes and data.
std::string message(const std::string& id, const std::string& more) {
  return R"({"id": ")" + id + R"(", "timestamp": "2026-12-01T10:00:00.250Z", "attempts": 2, )" + more + "}";
}

std::string batch(const std::string& messages) {
  return R"({"queue": "orders", "messages": [)" + messages + "]}";
}

json record_of(const std::string& more) {
  const auto records = records_of(batch(message("m1", more)));
  return records ? json::parse(records->event)["Records"][0] : json(records.error().message);
}

TEST(LambdaRecords, AMessageIsARecordOfSqs) {
  const auto record =
      record_of(R"("attributes": {"id": "e1", "type": "made", "n": 7}, "data": {"a": [1, "x"]})");
  EXPECT_EQ(record, json::parse(R"({
    "messageId": "m1", "receiptHandle": "m1", "body": "{\"a\": [1, \"x\"]}",
    "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1796119200250"},
    "messageAttributes": {"id": {"stringValue": "e1", "dataType": "String"}, "type": {"stringValue": "made", "dataType": "String"},
                          "n": {"stringValue": "7", "dataType": "String"}},
    "eventSource": "mayfly:queue", "eventSourceARN": "mayfly:topic:orders"})"));
}

TEST(LambdaRecords, TheBodyIsTheTextThatWasSent) {
  const auto body = [](const std::string& type, const std::string& data) {
    return record_of(R"("attributes": {"datacontenttype": ")" + type + "\"}, " + data)["body"];
  };
  EXPECT_EQ(body("text/plain", R"("data": "gr\u00fcn \"x\"")"), "gr\u00fcn \"x\"");
  EXPECT_EQ(body("application/json", R"("data": "text")"), "\"text\"");
  EXPECT_EQ(body("application/vnd.a+json; charset=utf-8", R"("data": "text")"), "\"text\"");
  EXPECT_EQ(body("text/plain", R"("data": 1.0)"), "1.0");
  EXPECT_EQ(record_of(R"("attributes": {}, "data": "text")")["body"], "\"text\"");
  EXPECT_EQ(record_of(R"("attributes": {})")["body"], "");
  const auto bytes = record_of(R"("attributes": {}, "data_base64": "/wA=")");
  EXPECT_EQ(bytes["body"], "/wA=");
  EXPECT_EQ(bytes["isBase64Encoded"], true);
}

TEST(LambdaRecords, SeveralKeepTheirOrder) {
  const auto records = records_of(batch(message("m1", R"("data": 1)") + "," + message("m2", R"("data": 2)")));
  ASSERT_TRUE(records);
  EXPECT_EQ(records->ids, (std::vector<std::string>{"m1", "m2"}));
  const auto event = json::parse(records->event);
  ASSERT_EQ(event["Records"].size(), 2U);
  EXPECT_EQ(event["Records"][1]["body"], "2");
}

TEST(LambdaRecords, DeeplyNestedDataDoesNotOverflowTheStack) {
  constexpr std::size_t kDepth = 1'000'000;
  const auto nested = std::string(kDepth, '[') + std::string(kDepth, ']');
  const auto records = records_of(batch(message("m1", R"("data": )" + nested)));
  ASSERT_TRUE(records);
  EXPECT_TRUE(records->event.contains(nested));
  const auto scheduled = scheduled_event(R"({"schedule": "@daily", "payload": )" + nested + "}", "i");
  ASSERT_TRUE(scheduled);
  EXPECT_TRUE(scheduled->contains(nested));
}

TEST(LambdaRecords, WhatIsNoBatchIsSaid) {
  for (const char* wrong : {"", "{", "[]", "{}", "null", R"({"messages": 7})", R"({"messages": []})"})
    EXPECT_FALSE(records_of(wrong)) << wrong;
  for (const char* odd :
       {R"({"messages": [7]})", R"({"messages": [{"id": 7, "timestamp": "x", "attributes": []}]})"})
    EXPECT_TRUE(json::accept(records_of(odd).value_or(LambdaRecords{}).event)) << odd;
}

std::string told(std::string_view returned) {
  const auto answer = batch_answer(returned, {"m1", "m2"});
  return answer ? *answer : "error: " + answer.error().message;
}

TEST(BatchAnswer, NamesWhatIsToComeAgain) {
  EXPECT_EQ(told(R"({"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m2"}]})"),
            R"({"retry":[{"id":"m2"}]})");
  EXPECT_EQ(told(R"({"batchItemFailures": [{"itemIdentifier": "m2"}, {"itemIdentifier": "m1"}]})"),
            R"({"retry":[{"id":"m2"},{"id":"m1"}]})");
  for (const char* all : {"", "null", "{}", "done", R"("done")", "[]", R"({"batchItemFailures": null})",
                          R"({"batchItemFailures": []})"})
    EXPECT_EQ(told(all), "{}") << all;
}

TEST(BatchAnswer, WhatNamesNoneOfThemFailsTheWholeBatch) {
  EXPECT_EQ(told(R"({"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]})"),
            "error: batchItemFailures has the itemIdentifier \"m3\", which is no messageId of this batch");
  for (const char* wrong :
       {R"({"batchItemFailures": "m1"})", R"({"batchItemFailures": ["m1"]})",
        R"({"batchItemFailures": [{}]})", R"({"batchItemFailures": [{"itemIdentifier": ""}]})"})
    EXPECT_TRUE(told(wrong).starts_with("error: ")) << wrong;
}

TEST(ScheduledEvent, IsThatOfEventBridge) {
  const auto event = scheduled_event(
      R"({"schedule": "0 3 * * *", "timezone": "UTC", "time": "2026-12-01T03:00:00.000Z", "payload": [1]})",
      "id-1");
  ASSERT_TRUE(event);
  EXPECT_EQ(json::parse(*event), json::parse(R"({"version": "0", "id": "id-1", "source": "mayfly.schedule",
    "detail-type": "Scheduled Event", "time": "2026-12-01T03:00:00.000Z", "resources": ["0 3 * * *"], "detail": [1]})"));
  EXPECT_EQ(json::parse(*scheduled_event(R"({"schedule": "@daily"})", "i"))["detail"], json::object());
  for (const char* wrong : {"", "[]", "x", "{}"}) EXPECT_FALSE(scheduled_event(wrong, "i")) << wrong;
}

}  // namespace
}  // namespace mayfly::exec
