#include "cloudevents/json_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloudevents/error.h"

namespace mayfly::cloudevents {
namespace {

using testing::HasSubstr;

/// An event with the members given besides the required ones; `without` leaves one of those out.
std::string event_with(const std::string& members, const std::string& without = "") {
  std::string text = "{";
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"specversion", "1.0"}, {"id", "7f"}, {"source", "/shop"}, {"type", "order.placed"}})
    if (name != without) text.append("\"" + name + "\": \"" + value + "\", ");
  return text + "\"last\": \"x\"" + (members.empty() ? "" : ", " + members) + "}";
}

CloudEvent good(const std::string& text) {
  auto event = parse_json(text);
  EXPECT_TRUE(event) << text << ": " << event.error().message;
  return event ? *event : CloudEvent{};
}

Error refusal(const std::string& text) {
  auto event = parse_json(text);
  EXPECT_FALSE(event) << text;
  return event ? Error{} : event.error();
}

TEST(JsonFormat, AnEventHasItsAttributesInOrder) {
  const auto event = good(R"({"id": "7f", "specversion": "1.0", "type": "order.placed", "source": "/shop",
    "time": "2024-05-01T12:00:00Z", "subject": "größe", "dataschema": "https://example.com/order",
    "datacontenttype": "text/plain", "urgent": true, "weight": -5, "note": "", "data": "hi \"you\"\n"})");
  EXPECT_EQ(event.attributes, (std::vector<Attribute>{{"id", "7f"},
                                                      {"specversion", "1.0"},
                                                      {"type", "order.placed"},
                                                      {"source", "/shop"},
                                                      {"time", "2024-05-01T12:00:00Z"},
                                                      {"subject", "größe"},
                                                      {"dataschema", "https://example.com/order"},
                                                      {"datacontenttype", "text/plain"},
                                                      {"urgent", "true"},
                                                      {"weight", "-5"},
                                                      {"note", ""}}));
  EXPECT_EQ(event.data, "hi \"you\"\n");
}

TEST(JsonFormat, ValidEventsAreAccepted) {
  for (const char* members :
       {"", R"("subject": null)", R"("datacontenttype": null, "dataschema": null, "time": null, "own": null)",
        R"("time": "2018-04-05T17:31:00.123456789Z")", R"("time": "2018-04-05T18:31:00+01:00")",
        R"("time": "2018-04-05t17:31:00z")", R"("n": 2147483647, "m": -2147483648, "z": 0)",
        R"("yes": true, "no": false)", R"("uri": "https://example.com", "ref": "//host/path", "bin": "TWE=")",
        R"("dataschema": "urn:x:y")", R"("datacontenttype": "application/json; charset=\"utf-8\"")",
        R"("data_base64": "")", R"("data_base64": null)", R"("data": null)",
        R"("datacontenttype": "text/xml", "data": null)"})
    good(event_with(members));
  for (const char* source :
       {"#fragment", "https://example.com/a?b=c#d", "urn:uuid:6e8bc430", "/a/%20b", "a/b:c", "mailto:x@y.z"})
    good(R"({"specversion": "1.0", "id": "1", "type": "t", "source": ")" + std::string(source) + "\"}");
  good("  \n" + event_with("") + "\t");
}

TEST(JsonFormat, InvalidEventsAreRefusedAndTheAttributeIsNamed) {
  for (const char* required : {"specversion", "id", "source", "type"}) {
    const auto error = refusal(event_with("", required));
    EXPECT_EQ(error.code, CloudEventsErrc::bad_event);
    EXPECT_EQ(error.message, std::string(required) + ": is missing");
    EXPECT_EQ(error.detail("attribute"), required);
    for (const char* value : {"\"\"", "25", "true", "{\"x\": 1}", "[]", "null"})
      EXPECT_EQ(
          refusal(event_with("\"" + std::string(required) + "\": " + value, required)).detail("attribute"),
          required)
          << value;
  }
  struct Case {
    const char* members;
    const char* message;
  };
  for (const auto& [members, message] : std::vector<Case>{
           {R"("subject": "")", "subject: is empty"},
           {R"("dataschema": "")", "dataschema: is empty"},
           {R"("dataschema": "/relative")", "dataschema: is no URI"},
           {R"("datacontenttype": "")", "datacontenttype: is empty"},
           {R"("datacontenttype": "xyz")", "datacontenttype: is no media type"},
           {R"("datacontenttype": "text/plain; charset")", "datacontenttype: is no media type"},
           {R"("datacontenttype": "a b/c")", "datacontenttype: is no media type"},
           {R"("time": "lunchtime")", "time: is no timestamp"},
           {R"("time": "2018-04-05T18:31Z")", "time: is no timestamp"},
           {R"("time": "2018-04-05T18:31:00")", "time: is no timestamp"},
           {R"("time": "2018-04-05T18:31:00X")", "time: is no timestamp"},
           {R"("time": "2018-04-05T18:31:00+25:00")", "time: is no timestamp"},
           {R"("time": "2018-04-05T18:31:00+05")", "time: is no timestamp"},
           {R"("time": 1700000000)", "time: has to be a string"},
           {R"("Urgent": "x")", "names of attributes are 1 to 64 lower-case letters and digits"},
           {R"("my.own": "x")", "names of attributes"},
           {R"("my_own": "x")", "names of attributes"},
           {R"("": "x")", "names of attributes"},
           {R"("größe": "x")", "names of attributes"},
           {R"("n": 1.5)", "n: has to be a string, true, false, or a whole number of 32 bits"},
           {R"("n": 1e3)", "n: has to be"},
           {R"("n": 2147483648)", "n: has to be"},
           {R"("n": [])", "n: has to be"},
           {R"("n": {})", "n: has to be"},
           {R"("n": "a\u0007")", "n: has a control character"},
           {R"("n": "a\u0000")", "n: has a control character"},
           {R"("n": "a\u0085")", "n: has a control character"},
           {R"("n": "a\uffff")", "n: has a control character"},
           {R"("last": "y")", "last: is there twice"},
           {R"("l\u0061st": "y")", "last: is there twice"},
           {R"("last": null)", "last: is there twice"},
           {R"("data": 1, "data": 2)", "data: is there twice"},
           {R"("data": "x", "data_base64": "eA==")", "data and data_base64 are both there"},
           {R"("data_base64": "eA==", "data": null)", "data and data_base64 are both there"},
           {R"("data_base64": "eA")", "data_base64 is no string in Base64"},
           {R"("data_base64": "e A==")", "data_base64 is no string in Base64"},
           {R"("data_base64": "-_==")", "data_base64 is no string in Base64"},
           {R"("data_base64": {})", "data_base64 is no string in Base64"},
           {R"("datacontenttype": "text/plain", "data": {"a": 1})", "data has to be a string"}}) {
    const auto error = refusal(event_with(members));
    EXPECT_EQ(error.code, CloudEventsErrc::bad_event) << members;
    EXPECT_THAT(error.message, HasSubstr(message)) << members;
  }
  for (const char* version : {"0.3", "1", "1.1", "2.0"})
    EXPECT_THAT(
        refusal(event_with(R"("specversion": ")" + std::string(version) + "\"", "specversion")).message,
        HasSubstr("specversion: has to be 1.0"));
  for (const char* source : {"a b", "/a%2", "/a%zz", "1:x", "a#b#c", "/größe", "/a<b"})
    EXPECT_THAT(refusal(event_with(R"("source": ")" + std::string(source) + "\"", "source")).message,
                HasSubstr("source: is no URI-reference"));
}

TEST(JsonFormat, WhatIsNoJsonObjectIsRefused) {
  for (const char* text :
       {"", " ", "[]", "3", "null", "{", "{}x", "{'id': 1}", "\xef\xbb\xbf{}", "{\"id\": \"\xff\"}"})
    refusal(text);
  refusal(event_with("") + std::string(1, '\0') + "x");
}

TEST(JsonFormat, ThereIsAMostOfAttributes) {
  std::string many;
  for (std::size_t i = 0; i + 5 < kMaxAttributes; ++i)
    many += (i == 0 ? "\"a" : ", \"a") + std::to_string(i) + "\": 1";
  EXPECT_EQ(good(event_with(many)).attributes.size(), kMaxAttributes);
  EXPECT_EQ(refusal(event_with(many + R"(, "one": 1)")).code, CloudEventsErrc::event_too_large);
  const auto error = refusal(event_with(R"("long": ")" + std::string(kMaxAttributeBytes, 'x') + "\""));
  EXPECT_EQ(error.code, CloudEventsErrc::event_too_large);
  EXPECT_EQ(error.detail("limit"), "65536");
  good(event_with("\"" + std::string(kMaxNameLength, 'n') + "\": 1"));
  EXPECT_EQ(refusal(event_with("\"" + std::string(kMaxNameLength + 1, 'n') + "\": 1")).code,
            CloudEventsErrc::bad_event);
}

// JSON Event Format, section 3.1.2.
TEST(JsonFormat, DataIsReadByItsContentType) {
  struct Case {
    const char* members;
    const char* data;
    const char* type;
  };
  for (const auto& [members, data, type] : std::vector<Case>{
           {R"("data": {"a": [1, 2]})", R"({"a": [1, 2]})", "application/json"},
           {R"("data": "just a string")", R"("just a string")", "application/json"},
           {R"("data": "{\"not\": \"parsed\"}")", R"("{\"not\": \"parsed\"}")", "application/json"},
           {R"("data": null)", "null", "application/json"},
           {R"("data": 0.10)", "0.10", "application/json"},
           {R"("datacontenttype": "application/vnd.x+JSON; v=1", "data": [ 1 ])", "[ 1 ]",
            "application/vnd.x+JSON; v=1"},
           {R"("datacontenttype": "application/xml", "data": "<much wow=\"xml\"/>")", "<much wow=\"xml\"/>",
            "application/xml"},
           {R"("datacontenttype": "application/json", "data_base64": "eyJhIjoxfQ==")", R"({"a":1})",
            "application/json"},
           {R"("data_base64": "AAEC")", nullptr, ""}}) {
    const auto event = good(event_with(members));
    EXPECT_EQ(event.data, data == nullptr ? std::string("\0\1\2", 3) : data) << members;
    EXPECT_EQ(event.get("datacontenttype"), type) << members;
  }
  // Numbers that no double can hold stay as they were.
  EXPECT_EQ(good(event_with(R"("data": 123456789012345678901234567890.10e40)")).data,
            "123456789012345678901234567890.10e40");
}

// Section 3.1.1.
TEST(JsonFormat, DataIsWrittenByItsContentType) {
  CloudEvent event{{{"id", "1"}}, ""};
  const auto written = [&](const char* type, std::string data) {
    event.attributes.resize(1);
    if (*type != '\0') event.set("datacontenttype", type);
    event.data = std::move(data);
    const auto text = to_json(event);
    return text.substr(text.rfind(",\"data") + 1);
  };
  EXPECT_EQ(written("application/json", "{\"a\": 1.50}"), R"("data":{"a": 1.50}})");
  EXPECT_EQ(written("text/json", "null"), R"("data":null})");
  EXPECT_EQ(written("application/json", "1e999"), R"("data_base64":"MWU5OTk="})");  // no double can hold it
  EXPECT_EQ(written("application/json", "{broken"), R"("data_base64":"e2Jyb2tlbg=="})");
  EXPECT_EQ(written("text/x+json", "{broken"), R"("data_base64":"e2Jyb2tlbg=="})");
  EXPECT_EQ(written("text/plain", "a\"b\n"), R"("data":"a\"b\n"})");
  EXPECT_EQ(written("text/plain", "\xff"), R"("data_base64":"/w=="})");
  EXPECT_EQ(written("image/svg+xml", "<svg/>"), R"("data":"<svg/>"})");
  EXPECT_EQ(written("application/octet-stream", "abc"), R"("data_base64":"YWJj"})");
  EXPECT_EQ(written("", "{}"), R"("data_base64":"e30="})");
  event = {{{"id", "1"}, {"subject", "a\"ü"}}, ""};
  EXPECT_EQ(to_json(event), R"({"id":"1","subject":"a\"ü"})");
}

TEST(JsonFormat, ABatchIsAnArrayOfEvents) {
  EXPECT_TRUE(parse_json_batch("[]")->empty());
  EXPECT_TRUE(parse_json_batch(" [ ] ")->empty());
  const auto batch = parse_json_batch("[" + event_with(R"("data": [[], "]"])") + " ,\n" +
                                      event_with(R"("subject": "}")") + "]");
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_EQ(batch->size(), 2U);
  EXPECT_EQ(batch->at(0).data, "[[], \"]\"]");
  EXPECT_EQ(batch->at(1).get("subject"), "}");
  EXPECT_EQ(*parse_json_batch(to_json_batch(*batch)), *batch);

  for (const auto& text :
       {std::string("{}"), event_with(""), std::string("[1"), std::string(""), std::string("\"[]\"")})
    EXPECT_THAT(parse_json_batch(text).error().message, HasSubstr("is a JSON array")) << text;
  for (const auto& wrong : {std::string("\"text\""), std::string("[]"), event_with("", "id"),
                            event_with(R"("specversion": "0.9")", "specversion")}) {
    const auto bad = parse_json_batch("[" + event_with("") + "," + wrong + "]");
    ASSERT_FALSE(bad) << wrong;
    EXPECT_THAT(bad.error().message, testing::StartsWith("event 2 of the batch: "));
    EXPECT_EQ(bad.error().detail("event"), "2");
  }
  std::string many = event_with("");
  for (std::size_t i = 1; i < kMaxBatch; ++i) many += "," + event_with("");
  EXPECT_EQ(parse_json_batch("[" + many + "]")->size(), kMaxBatch);
  EXPECT_EQ(parse_json_batch("[" + many + "," + event_with("") + "]").error().code,
            CloudEventsErrc::event_too_large);
}

}  // namespace
}  // namespace mayfly::cloudevents
