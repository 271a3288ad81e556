#include "daemon/event_payload.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cloudevents/cloud_event.h"
#include "cloudevents/raw_json.h"

namespace mayfly::daemon {
namespace {

using namespace std::string_literals;
using events::Form;
using nlohmann::json;

events::Task::Item item(Form form, const std::string& fields, const std::string& body) {
  auto event = std::make_shared<events::Event>();
  event->form = form;
  event->method = "PUT";
  event->target = "/a?b=1";
  event->fields = fields;
  event->body = body;
  return {event, {1, 2, 3, 4}, 2};
}

/// An event of a topic with data of this type.
events::Task topic_task(const std::string& type, const std::string& data) {
  cloudevents::CloudEvent event{
      {{"specversion", "1.0"}, {"id", "e1"}, {"source", "/s"}, {"type", "t"}, {"datacontenttype", type}}, {}};
  return {"orders>f", "f", {item(Form::event, cloudevents::to_fields(event), data)}};
}

events::Task schedule_task(const std::string& payload) {
  return {"schedule:f:@daily UTC",
          "f",
          {item(Form::schedule, "schedule\0@daily\0timezone\0UTC\0time\00086400000\0"s, payload)}};
}

events::Task as_requests(events::Task task) {
  task.as_requests = true;
  return task;
}

std::string header(const admin::InvokeRequest& request, const std::string& wanted) {
  for (const auto& [name, value] : request.headers)
    if (name == wanted) return value;
  return {};
}

TEST(EventPayload, ARequestIsMadeAgainAsItCame) {
  const events::Task task{"function:f", "f", {item(Form::request, "x-own\0001\0"s, "body")}};
  const auto request = event_request(task);
  EXPECT_EQ(request.function, "f");
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/a?b=1");
  EXPECT_EQ(request.body, "body");
  EXPECT_FALSE(request.event);
  EXPECT_EQ(request.invocation, events::to_text({1, 2, 3, 4}));
  EXPECT_EQ(request.headers.size(), 1U);
  EXPECT_EQ(header(request, "x-own"), "1");
}

TEST(EventPayload, ARequestGoesToTheVersionThatItNamed) {
  const events::Task task{"function:f", "f", {item(Form::request, "mayfly-reference\0007\0"s, "")}};
  const auto request = event_request(task);
  EXPECT_EQ(request.function, "f@7");
  EXPECT_TRUE(request.headers.empty());
}

TEST(EventPayload, ABatchIsJsonWithItsAttributesApart) {
  auto task = topic_task("application/json", R"({"n": 1})");
  task.items.push_back(topic_task("text/plain", "text").items[0]);
  task.items.push_back(topic_task("image/png", "\xff\x00"s).items[0]);
  const auto request = event_request(task);
  EXPECT_TRUE(request.event);
  EXPECT_EQ(header(request, "mayfly-event"), "queue");
  const auto body = json::parse(request.body);
  EXPECT_EQ(body["queue"], "orders");
  ASSERT_EQ(body["messages"].size(), 3U);
  const auto& first = body["messages"][0];
  EXPECT_EQ(first["id"], request.invocation);
  EXPECT_EQ(first["attempts"], 2);
  EXPECT_EQ(first["attributes"]["id"], "e1");
  EXPECT_EQ(first["data"], json({{"n", 1}}));
  EXPECT_EQ(body["messages"][1]["data"], "text");
  EXPECT_EQ(body["messages"][2]["data_base64"], "/wA=");
}

TEST(EventPayload, WhatOnlySaysThatItIsJsonIsHandedOnAsBytes) {
  const auto request = event_request(topic_task("application/json", "{bad"));
  EXPECT_TRUE(json::parse(request.body)["messages"][0].contains("data_base64"));
}

TEST(EventPayload, DeeplyNestedDataDoesNotOverflowTheStack) {
  constexpr std::size_t kDepth = 1'000'000;
  const auto nested = std::string(kDepth, '[') + std::string(kDepth, ']');
  const auto topic = event_request(topic_task("application/json", nested));
  EXPECT_TRUE(cloudevents::is_json(topic.body));
  EXPECT_TRUE(topic.body.contains(nested));
  const auto schedule = event_request(schedule_task(nested));
  EXPECT_TRUE(schedule.body.contains(nested));
  const auto http = event_request(as_requests(schedule_task(nested)));
  EXPECT_EQ(http.body, nested);
}

TEST(EventPayload, ASchedulesTimeAndPayload) {
  const auto request = event_request(schedule_task(R"({"a":1})"));
  EXPECT_EQ(header(request, "mayfly-event"), "schedule");
  const auto body = json::parse(request.body);
  EXPECT_EQ(body["schedule"], "@daily");
  EXPECT_EQ(body["time"], "1970-01-02T00:00:00.000Z");
  EXPECT_EQ(body["payload"], json({{"a", 1}}));
  EXPECT_EQ(json::parse(event_request(schedule_task("no json")).body)["payload"], "no json");
  EXPECT_FALSE(json::parse(event_request(schedule_task("")).body).contains("payload"));
}

TEST(EventPayload, ProgramsThatKnowHttpAloneGetACloudEventInBinaryMode) {
  const auto request = event_request(as_requests(topic_task("text/plain", "text")));
  EXPECT_FALSE(request.event);
  EXPECT_EQ(header(request, "ce-id"), "e1");
  EXPECT_EQ(header(request, "content-type"), "text/plain");
  EXPECT_EQ(request.body, "text");
  const auto scheduled = event_request(as_requests(schedule_task("{}")));
  EXPECT_EQ(header(scheduled, "ce-type"), "mayfly.schedule");
  EXPECT_EQ(scheduled.body, "{}");
}

TEST(EventPayload, BootstrapsGetDeliveriesAndOtherExecutablesHttp) {
  registry::Version version;
  const auto form = [&](registry::Runtime runtime, const char* entry, const char* handler) {
    version.runtime = runtime;
    version.entry = entry;
    version.config.handler = handler;
    return event_form(version);
  };
  using registry::Runtime;
  EXPECT_EQ(form(Runtime::exec, "bootstrap", "default"), EventForm::delivery);
  EXPECT_EQ(form(Runtime::exec, ".mayfly-program/bootstrap", "default"), EventForm::delivery);
  EXPECT_EQ(form(Runtime::exec, "run.sh", "app.handler"), EventForm::delivery);
  EXPECT_EQ(form(Runtime::exec, "run.sh", "default"), EventForm::http);
  EXPECT_EQ(form(Runtime::native, "f.so", "default"), EventForm::http);
  EXPECT_EQ(form(Runtime::python, "main.py", "handler"), EventForm::delivery);
}

}  // namespace
}  // namespace mayfly::daemon
