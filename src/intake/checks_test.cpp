#include "intake/checks.h"

#include <gtest/gtest.h>

#include <string>

#include "intake/local_request.h"

namespace mayfly::intake {
namespace {

TEST(Checks, AnIdempotencyKeyIsNotTooLong) {
  EXPECT_TRUE(check_idempotency_key(""));
  EXPECT_TRUE(check_idempotency_key(std::string(255, 'k')));
  EXPECT_EQ(check_idempotency_key(std::string(256, 'k')).error().code, IntakeErrc::bad_request);
}

TEST(Checks, WhatIsCalledJsonIsJson) {
  for (const auto* type : {"application/json", "application/json; charset=utf-8", "Application/Vnd.x+JSON"}) {
    EXPECT_TRUE(check_json_body(type, R"({"a":1})")) << type;
    EXPECT_TRUE(check_json_body(type, "")) << type;
    for (const auto* body : {R"({"a":1)", "text", "{}{}"})
      EXPECT_EQ(check_json_body(type, body).error().code, IntakeErrc::bad_request) << type << body;
  }
  for (const auto* type : {"", "text/plain", "application/x-www-form-urlencoded"})
    EXPECT_TRUE(check_json_body(type, R"({"a":1)")) << type;
}

}  // namespace
}  // namespace mayfly::intake
