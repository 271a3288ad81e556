#include "pipelines/attempts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace mayfly::pipelines {
namespace {

using events::State;
using nlohmann::json;

json put(State state, int attempts, bool failed_before) {
  events::DeliveryRecord record;
  record.state = state;
  record.attempts = attempts;
  record.not_before = WallTime{} + std::chrono::seconds(90);
  if (failed_before)
    record.history = {{.number = 1, .type = "first", .message = ""},
                      {.number = 2, .type = "status", .message = "answered with status 500"}};
  json object{{"attempts", 5}};
  put_attempts(object, record);
  return object;
}

TEST(Attempts, SayWhichOneIsUnderWayAndWhyTheLastOneFailed) {
  EXPECT_EQ(put(State::queued, 0, false), json::parse(R"({"attempts":5,"attempt":0})"));
  EXPECT_EQ(put(State::running, 0, false), json::parse(R"({"attempts":5,"attempt":1})"));
  EXPECT_EQ(put(State::failed, 2, true),
            json::parse(R"({"attempts":5,"attempt":2,"next_attempt":"1970-01-01T00:01:30.000Z",
                            "last_failure":{"type":"status","message":"answered with status 500"}})"));
  EXPECT_EQ(put(State::running, 2, true)["attempt"], 3);
  EXPECT_FALSE(put(State::running, 2, true).contains("next_attempt"));
}

}  // namespace
}  // namespace mayfly::pipelines
