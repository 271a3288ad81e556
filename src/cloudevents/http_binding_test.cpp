#include "cloudevents/http_binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "cloudevents/error.h"
#include "cloudevents/json_format.h"

namespace mayfly::cloudevents {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string fields(const Pairs& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) text.append(name).append(1, '\0').append(value).append(1, '\0');
  return text;
}

const Pairs kRequired{
    {"ce-specversion", "1.0"}, {"ce-id", "7f"}, {"ce-source", "/shop"}, {"ce-type", "order.placed"}};

std::string required_and(const Pairs& more) {
  Pairs all = kRequired;
  all.insert(all.end(), more.begin(), more.end());
  return fields(all);
}

const Defaults kDefaults{.id = "made", .source = "/topics/orders", .time = "2024-05-01T12:00:00Z"};

Error refusal(const std::string& with, const std::string& body = "") {
  const auto events = parse_message(with, body, kDefaults);
  EXPECT_FALSE(events);
  return events ? Error{} : events.error();
}

CloudEvent one(const std::string& with, const std::string& body = "") {
  const auto events = parse_message(with, body, kDefaults);
  EXPECT_TRUE(events) << events.error().message;
  EXPECT_TRUE(!events || events->size() == 1);
  return events && events->size() == 1 ? events->front() : CloudEvent{};
}

TEST(HttpBinding, TheModeIsKnownByContentTypeAndFields) {
  EXPECT_EQ(mode_of(""), Mode::plain);
  EXPECT_EQ(mode_of(fields({{"content-type", "application/json"}, {"ce-subject", "x"}})), Mode::plain);
  EXPECT_EQ(mode_of(fields(kRequired)), Mode::binary);
  for (const auto& each : kRequired) EXPECT_EQ(mode_of(fields({each})), Mode::binary);
  for (const char* type : {"application/cloudevents+json", "Application/CloudEvents+JSON; charset=utf-8",
                           "application/cloudevents", "application/cloudevents+avro"})
    EXPECT_EQ(mode_of(required_and({{"content-type", type}})), Mode::structured) << type;
  EXPECT_EQ(mode_of(fields({{"content-type", "application/cloudevents-batch+json"}})), Mode::batched);
}

TEST(HttpBinding, ABinaryEventIsInTheFields) {
  const auto event = one(required_and({{"host", "localhost"},
                                       {"content-type", "text/plain; charset=utf-8"},
                                       {"ce-subject", "Euro%20%E2%82%AC%20%f0%9f%98%80"},
                                       {"ce-own", "\"a \\\"b\\\" c\""}}),
                         "hello");
  EXPECT_THAT(event.attributes,
              ElementsAre(Attribute{"specversion", "1.0"}, Attribute{"id", "7f"},
                          Attribute{"source", "/shop"}, Attribute{"type", "order.placed"},
                          Attribute{"datacontenttype", "text/plain; charset=utf-8"},
                          Attribute{"subject", "Euro € 😀"}, Attribute{"own", "a \"b\" c"}));
  EXPECT_EQ(event.data, "hello");
}

TEST(HttpBinding, InvalidBinaryEventsAreRefused) {
  for (const auto& each : kRequired) {
    Pairs rest = kRequired;
    std::erase(rest, each);
    EXPECT_THAT(refusal(fields(rest)).message, HasSubstr(each.first.substr(3) + ": is missing"));
  }
  for (const auto& [field, message] :
       std::vector<std::pair<std::pair<std::string, std::string>, std::string>>{
           {{"ce-id", "2"}, "id: is there twice"},
           {{"content-type", "xyz"}, "datacontenttype: is no media type"},
           {{"ce-datacontenttype", "text/plain"}, "datacontenttype: belongs into Content-Type"},
           {{"ce-data", "x"}, "data: is not an attribute"},
           {{"ce-my_own", "x"}, "names of attributes"},
           {{"ce-", "x"}, "names of attributes"},
           {{"ce-time", "now"}, "time: is no timestamp"},
           {{"ce-own", "a%2"}, "own: has a % without two hexadecimal digits"},
           {{"ce-own", "a%"}, "own: has a %"},
           {{"ce-own", "a%+1"}, "own: has a %"},
           {{"ce-own", "\"a"}, "own: a double quote is not closed"},
           {{"ce-own", "\"a\\"}, "own: a double quote is not closed"},
           {{"ce-own", "%C0%A0"}, "own: has a control character, or is not UTF-8"},
           {{"ce-own", "\xff"}, "is not UTF-8"},
           {{"ce-own", "a%0Ab"}, "own: has a control character"}}) {
    const auto error = refusal(required_and({field}));
    EXPECT_EQ(error.code, CloudEventsErrc::bad_event) << field.first;
    EXPECT_THAT(error.message, HasSubstr(message)) << field.first << ": " << field.second;
  }
  Pairs many;
  for (std::size_t i = 0; i < kMaxAttributes; ++i) many.emplace_back("ce-a" + std::to_string(i), "1");
  EXPECT_EQ(refusal(required_and(many)).code, CloudEventsErrc::event_too_large);
}

TEST(HttpBinding, APlainBodyGetsWhatItDoesNotSay) {
  const auto event = one(
      fields({{"content-type", "image/png"}, {"ce-subject", "cat"}, {"ce-partitionkey", "k"}}), "\x89PNG");
  EXPECT_THAT(event.attributes,
              ElementsAre(Attribute{"datacontenttype", "image/png"}, Attribute{"subject", "cat"},
                          Attribute{"partitionkey", "k"}, Attribute{"specversion", "1.0"},
                          Attribute{"id", "made"}, Attribute{"source", "/topics/orders"},
                          Attribute{"type", "mayfly.published"}, Attribute{"time", "2024-05-01T12:00:00Z"}));
  EXPECT_EQ(event.data, "\x89PNG");
  EXPECT_EQ(one("", "").get("id"), "made");
  EXPECT_EQ(one(fields({{"ce-time", "2030-01-01T10:00:00Z"}})).get("time"), "2030-01-01T10:00:00Z");
  EXPECT_EQ(refusal(fields({{"content-type", "nonsense"}})).detail("attribute"), "datacontenttype");
  EXPECT_EQ(refusal(fields({{"ce-subject", ""}})).detail("attribute"), "subject");
}

TEST(HttpBinding, StructuredAndBatchedEventsAreInTheBody) {
  const std::string json = R"({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": 5})";
  const auto event = one(
      fields({{"content-type", "application/cloudevents+json; charset=utf-8"}, {"ce-id", "other"}}), json);
  EXPECT_EQ(event.get("id"), "1");
  EXPECT_EQ(event.data, "5");
  const auto batch = fields({{"content-type", "application/cloudevents-batch+json"}});
  EXPECT_EQ(parse_message(batch, "[" + json + "," + json + "]", kDefaults)->size(), 2U);
  EXPECT_TRUE(parse_message(batch, "[]", kDefaults)->empty());
  EXPECT_EQ(refusal(batch, json).code, CloudEventsErrc::bad_event);
  for (const char* type :
       {"application/cloudevents+avro", "application/cloudevents", "application/cloudevents-batch+xml"}) {
    const auto error = refusal(fields({{"content-type", type}}), json);
    EXPECT_EQ(error.code, CloudEventsErrc::unsupported_format);
    EXPECT_THAT(error.message, HasSubstr("application/cloudevents-batch+json"));
  }
}

TEST(HttpBinding, ValuesAreEncodedAsTheSpecificationSays) {
  EXPECT_EQ(encode_value("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
  EXPECT_EQ(encode_value("a\"b%c\\~"), "a%22b%25c\\~");
  EXPECT_EQ(*decode_value("%41%e2%82%AC"), "A€");
  EXPECT_EQ(*decode_value("100%2525"), "100%25");  // one round
  EXPECT_EQ(*decode_value("a\\b"), "a\\b");
}

// What JSON without a content type means has to be said where it goes on.
TEST(HttpBinding, TheContentTypeOfJsonIsSaid) {
  const auto event =
      one(fields({{"content-type", "application/cloudevents+json"}}),
          R"({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": "I'm a string"})");
  const auto message = to_binary(event);
  EXPECT_THAT(message.fields, HasSubstr(fields({{"content-type", "application/json"}})));
  EXPECT_EQ(message.body, "\"I'm a string\"");
}

/// An event that check() accepts.
CloudEvent random_event(std::mt19937& random) {
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  const std::vector<std::string> pieces{"a", "Z", "0",  " ", "\"", "%", "\\",  "%41",
                                        "ü", "€", "😀", "/", ",",  "{", "null"};
  const auto text = [&](std::size_t most) {
    std::string value;
    for (std::size_t n = below(most) + 1; n > 0; --n) value += pieces[below(pieces.size())];
    return value;
  };
  CloudEvent event{{{"specversion", "1.0"},
                    {"id", text(9)},
                    {"source", "/a%20b?" + std::to_string(below(99))},
                    {"type", text(9)}},
                   ""};
  if (below(2) == 0) event.set("subject", text(20));
  if (below(2) == 0) event.set("time", "2024-05-01T12:00:00.5+02:00");
  for (std::size_t n = below(4); n > 0; --n)
    event.set("ext" + std::to_string(below(100)), below(4) == 0 ? "" : text(20));
  const std::vector<std::string> types{"",      "application/json", "a/b+json", "text/json", "text/plain",
                                       "a/xml", "image/png"};
  if (const auto& type = types[below(types.size())]; !type.empty()) event.set("datacontenttype", type);
  const std::vector<std::string> bodies{
      "",     "{\"a\": [1, \"]\"]}", "null", "\"x\"", std::string("\0\xff\x80", 3), "{broken", "ü\n\t\"",
      "[ 1 ]"};
  event.data = bodies[below(bodies.size())];
  std::shuffle(event.attributes.begin(), event.attributes.end(), random);
  return event;
}

TEST(HttpBindingProperty, EventsComeBackFromEveryForm) {
  std::mt19937 random(7);
  std::vector<CloudEvent> all;
  for (int i = 0; i < 500; ++i) {
    const auto event = random_event(random);
    ASSERT_TRUE(check(event)) << to_json(event);
    EXPECT_EQ(from_fields(to_fields(event), event.data), event);
    const auto back = [&](const Message& message) { return one(message.fields, message.body); };
    ASSERT_EQ(back(to_binary(event)), event);
    ASSERT_EQ(back(to_structured(event)), event) << to_json(event);
    all.push_back(event);
    if (all.size() < 100) continue;
    const auto message = to_batched(all);
    const auto batch = parse_message(message.fields, message.body, kDefaults);
    ASSERT_TRUE(batch);
    ASSERT_EQ(*batch, all);
    all.clear();
  }
}

}  // namespace
}  // namespace mayfly::cloudevents
