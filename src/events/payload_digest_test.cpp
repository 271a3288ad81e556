#include "events/payload_digest.h"

#include <gtest/gtest.h>

namespace mayfly::events {
namespace {

using namespace std::string_literals;

NewEvent request(std::string fields, std::string body = "body") {
  return {.form = Form::request,
          .method = "POST",
          .target = "/x",
          .fields = std::move(fields),
          .body = std::move(body)};
}

TEST(PayloadDigest, OfARequestCountsWhatTheFunctionIsGivenToDo) {
  const auto first = payload_digest(request("Content-Type\0text/plain\0date\0today\0"s));
  EXPECT_EQ(first, payload_digest(request("date\0now\0Content-Type\0text/plain\0authorization\0x\0"s)));
  EXPECT_NE(first, payload_digest(request("Content-Type\0text/html\0"s)));
  EXPECT_NE(first, payload_digest(request("Content-Type\0text/plain\0"s, "Body")));
  auto other = request("Content-Type\0text/plain\0"s);
  EXPECT_EQ(first, payload_digest(other));
  other.method = "PUT";
  EXPECT_NE(first, payload_digest(other));
  other = request("Content-Type\0text/plain\0"s);
  other.target = "/y";
  EXPECT_NE(first, payload_digest(other));
  other = request("Content-Type\0text/plain\0"s);
  other.form = Form::payload;
  EXPECT_NE(first, payload_digest(other));
}

TEST(PayloadDigest, OfAnEventCountsItsAttributesButThoseOfOneTry) {
  const auto event = [](std::string fields) {
    return payload_digest({.form = Form::event, .fields = std::move(fields), .body = "b"});
  };
  const auto first = event("id\0001\0type\0t\0time\0now\0traceparent\0x\0"s);
  EXPECT_EQ(first, event("id\0002\0time\0later\0type\0t\0"s));
  EXPECT_NE(first, event("id\0001\0type\0u\0time\0now\0"s));
  EXPECT_NE(first, event("id\0001\0type\0t\0subject\0s\0"s));
}

TEST(PayloadDigest, OfAnEventCountsItsPartition) {
  const auto of = [](const std::string& partition) {
    return payload_digest({.form = Form::event, .body = "b", .partition = partition});
  };
  EXPECT_EQ(of("a"), of("a"));
  EXPECT_NE(of("a"), of("b"));
  EXPECT_NE(of("a"), of(""));
}

TEST(PayloadDigest, WhatStandsInOnePartIsNotThatOfAnother) {
  const auto digest = [](std::string method, std::string target, std::string body) {
    return payload_digest(
        {.method = std::move(method), .target = std::move(target), .body = std::move(body)});
  };
  EXPECT_NE(digest("ab", "", ""), digest("a", "b", ""));
  EXPECT_NE(digest("", "ab", ""), digest("", "a", "b"));
  // Fields that end in the middle are read to their end.
  EXPECT_NE(payload_digest({.fields = "name"}), payload_digest({.fields = "name\0value"s}));
}

}  // namespace
}  // namespace mayfly::events
