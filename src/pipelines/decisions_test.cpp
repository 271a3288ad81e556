// Steps one after another: calls, branches, waits, on_error, and what they are given.
#include "pipelines/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fields.h"
#include "events/store.h"
#include "pipelines/execution.h"
#include "pipelines/world_test_support.h"

namespace mayfly::pipelines {
namespace {

using namespace std::chrono_literals;
using events::EventsErrc;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Decisions, StepsFollowEachOtherAndAreGivenWhatTheOneBeforeGave) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"},{"name":"b","function":"g"}])", R"({"n": 1.50})");
  EXPECT_EQ(world.open.at(0)->body, R"({"n": 1.50})");
  EXPECT_THAT(world.trace(), ElementsAre("a:running"));
  world.answer("f", R"({"m":  2})");
  EXPECT_EQ(world.open.at(0)->body, R"({"m":  2})");
  world.answer("g", "done");
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "b:succeeded"));
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_THAT(world.open, IsEmpty());
  EXPECT_EQ(world.view(true)["steps"][1]["output"], "done");
}

TEST(Decisions, AStartIsRefusedWithoutAPipelineAndDoneOnce) {
  World world;
  EXPECT_EQ(world.decide(start(world.run, "")).error().code, EventsErrc::unknown_pipeline);
  world.run_of(R"([{"name":"a","function":"f"}])");
  world.start();
  EXPECT_EQ(world.open.size(), 1U);
  world.answer("f", "");
  world.start();
  EXPECT_EQ(world.state(), "succeeded");
}

TEST(Decisions, ARunKeepsTheDefinitionOfItsStart) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"},{"name":"b","function":"g"}])");
  world.deploy(R"([{"name":"z","function":"h"}])");
  world.answer("f", "1");
  EXPECT_THAT(world.targets(), ElementsAre("g"));
  EXPECT_EQ(world.head().revision, 1);
  world.run.id = "00000000000000000000000000000002";
  world.start();
  EXPECT_EQ(world.head().revision, 2);
  world.must(remove_pipeline("p"));
  world.answer("h", "");
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_EQ(world.decide(remove_pipeline("p")).error().code, EventsErrc::unknown_pipeline);
}

TEST(Decisions, ARevisionCountsChanges) {
  World world;
  auto definition = *parse_definition("p", R"({"steps":[{"name":"a","function":"f"}]})");
  const auto written = std::make_shared<StoredDefinition>();
  world.must(deploy(definition, written));
  EXPECT_EQ(written->revision, 1);
  world.tx.time += 1h;
  world.must(deploy(definition, written));
  EXPECT_EQ(written->revision, 1);
  definition.steps[0].function = "g";
  world.must(deploy(definition, written));
  EXPECT_EQ(written->revision, 2);
}

TEST(Decisions, ARevisionIsNotGivenAgainAfterADeletion) {
  World world;
  const auto definition = *parse_definition("p", R"({"steps":[{"name":"a","function":"f"}]})");
  const auto written = std::make_shared<StoredDefinition>();
  for (const auto wanted : {1, 2, 3}) {
    world.must(deploy(definition, written));
    EXPECT_EQ(written->revision, wanted);
    EXPECT_FALSE(*world.tx.get(deleted_key("p")));
    world.must(remove_pipeline("p"));
    EXPECT_TRUE(*world.tx.get(deleted_key("p")));
  }
}

TEST(Decisions, AnInputThatCannotBeUsedGivesARunThatHasFailed) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"}])", "\xff");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.error_type(), "pipelines:not-text");
  EXPECT_THAT(world.open, IsEmpty());
  EXPECT_EQ(world.decide(retry(world.run)).error().code, EventsErrc::run_ended);
}

TEST(Decisions, ACallIsAttemptedAsItsStepSays) {
  World world;
  world.run_of(R"([{"name":"a","function":"f","attempts":7,"backoff":"3s","backoff_max":"4s","max_age":"5m",
                    "timeout":"6s"},{"name":"b","function":"g"}])");
  const events::Policy queue{.concurrency = 99};
  const auto policy = policy_of(*world.open.at(0), queue);
  EXPECT_EQ(
      policy,
      (events::Policy{.attempts = 7, .backoff = 3s, .backoff_max = 4s, .max_age = 5min, .concurrency = 99}));
  EXPECT_EQ(timeout_of(*world.open.at(0)), 6s);
  EXPECT_EQ(world.open.at(0)->form, events::Form::step);
  EXPECT_EQ(world.open.at(0)->stream, world.tx.streams.at("pipeline:p"));
  world.answer("f", "");
  EXPECT_EQ(timeout_of(*world.open.at(0)), std::nullopt);
  EXPECT_EQ(world.head().trace[1].delivery,
            events::to_text({world.open[0]->stream, world.open[0]->position, 0, world.open[0]->check}));
}

TEST(Decisions, AnInputIsPutTogetherFromPaths) {
  World world;
  world.run_of(R"([
    {"name":"a","function":"f"},
    {"name":"pause","wait":"1s"},
    {"name":"b","function":"g","input":{"who":"$.input.name","all":"$.steps.a","deep":["$.previous.x[1]", "$.previous.none"],
      "money":"$$5","plain":"text","n":1,"run":"$.run","later":"$.steps.c.z","error":"$.error"}},
    {"name":"c","function":"h","input":"$.previous"}])",
               R"({"name":"Ann"})");
  world.answer("f", R"({"x":[1,{"y":"ü"}]})");
  world.fire();
  EXPECT_EQ(world.input("g"),
            json::parse(R"({"who":"Ann","all":{"x":[1,{"y":"ü"}]},"deep":[{"y":"ü"},null],"money":"$5",
    "plain":"text","n":1,"run":{"id":"00000000000000000000000000000001","pipeline":"p"},"later":null,"error":null})"));
  world.answer("g", "[ 1,2 ]");
  EXPECT_EQ(world.open.at(0)->body, "[ 1,2 ]");
}

TEST(Decisions, AnInputThatIsTooLargeOrTooDeepFailsItsStep) {
  const auto half = "\"" + std::string(kMaxValue / 2, 'x') + "\"";
  World world;
  world.run_of(R"([{"name":"a","function":"f","input":["$.input","$.input","$.input"]}])", half);
  EXPECT_EQ(world.error_type(), "pipelines:too-large");
  EXPECT_THAT(world.trace(), ElementsAre("a:failed"));
  World deep;
  deep.run_of(R"([{"name":"a","function":"f","input":["$.input"]}])",
              std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']'));
  EXPECT_EQ(deep.error_type(), "pipelines:too-deep");
}

TEST(Decisions, AnAnswerThatCannotBeUsedFailsItsStep) {
  for (const auto& [body, type] : std::map<std::string, std::string>{
           {"\xff", "pipelines:not-text"},
           {std::string(kMaxValue + 1, 'x'), "pipelines:too-large"},
           {std::string(101, '[') + std::string(101, ']'), "pipelines:too-deep"}}) {
    World world;
    world.run_of(R"([{"name":"a","function":"f"}])");
    world.answer("f", body);
    EXPECT_EQ(world.state(), "failed");
    EXPECT_EQ(world.error_type(), type);
  }
  World world;
  world.run_of(R"([{"name":"a","function":"f"}])");
  auto end = World::answered("");
  append_field(end.answer->headers, "mayfly-not-kept", "too long");
  world.end_first("f", end);
  EXPECT_EQ(world.error_type(), "pipelines:too-large");
}

TEST(Decisions, AFailedStepFailsTheRunWithItsError) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"},{"name":"b","function":"g"}])");
  world.end_first("f", World::died("pool:handler-threw", "oh no"));
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.head().error, (StepFailure{"a", {"pool:handler-threw", "oh no"}}));
  EXPECT_EQ(world.head().compensated, false);
  EXPECT_THAT(world.trace(), ElementsAre("a:failed"));
  EXPECT_THAT(world.open, IsEmpty());
}

TEST(Decisions, ALongMessageIsShortened) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"}])");
  std::string message = "x";
  for (int i = 0; i < 600; ++i) message += "ä";
  world.end_first("f", World::died("t", message));
  EXPECT_EQ(world.head().error->failure.message, message.substr(0, 1'023) + " …");
}

TEST(Decisions, ADeliveryThatWasCancelledOrGaveNoReasonFailsItsStep) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"}])");
  world.end_first("f", World::outcome(events::State::cancelled));
  EXPECT_EQ(world.error_type(), "pipelines:cancelled");
  EXPECT_EQ(world.state(), "failed");
  World other;
  other.run_of(R"([{"name":"a","function":"f"}])");
  other.end_first("f", World::outcome(events::State::dead));
  EXPECT_EQ(other.error_type(), "pipelines:gave-up");
}

TEST(Decisions, OnErrorGoesOnElsewhereAndFindsTheError) {
  World world;
  world.run_of(R"([{"name":"a","function":"f","on_error":"sorry"},{"name":"b","function":"g","next":"end"},
                   {"name":"sorry","function":"h","input":{"why":"$.error","was":"$.previous"}}])",
               "7");
  world.die("f");
  EXPECT_EQ(
      world.input("h"),
      json::parse(R"({"why":{"step":"a","type":"status","message":"answered with status 500"},"was":7})"));
  world.answer("h", "");
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_THAT(world.trace(), ElementsAre("a:failed", "sorry:succeeded"));
  EXPECT_FALSE(world.view().contains("error"));
}

TEST(Decisions, WhatIsToldAgainOrTooEarlyChangesNothing) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"},{"name":"b","function":"g"}])");
  const auto first = world.open.at(0);
  for (const auto state : {events::State::queued, events::State::failed, events::State::running})
    world.must(step_ended(*first, World::outcome(state)));
  EXPECT_THAT(world.trace(), ElementsAre("a:running"));
  world.answer("f", "1");
  const auto documents = world.tx.documents;
  world.must(step_ended(*first, World::answered("2")));
  world.must(step_ended(*first, World::died()));
  world.must(timer(*first));
  EXPECT_EQ(world.tx.documents, documents);
  EXPECT_EQ(world.open.size(), 1U);
}

TEST(Decisions, EventsOfNoRunAreLeftAlone) {
  World world;
  world.deploy(R"([{"name":"a","function":"f"}])");
  auto event = std::make_shared<events::Event>();
  static_cast<events::NewEvent&>(*event) = call_event({world.run, 3}, {.name = "a"}, "f", "");
  world.must(step_ended(*event, World::answered("")));
  world.must(timer(*event));
  world.start();
  world.must(step_ended(*event, World::answered("")));
  world.must(timer(*event));
  event->fields.clear();
  world.must(step_ended(*event, World::answered("")));
  world.must(timer(*event));
  EXPECT_THAT(world.trace(), ElementsAre("a:running"));
}

TEST(Decisions, ABranchComparesTexts) {
  const std::string steps = R"([{"name":"which","branch":"$.input.v","cases":
    {"true":"yes","null":"none","3":"three","2.5":"half","text":"word"}, "default":"other"},
    {"name":"yes","function":"yes"},{"name":"none","function":"none"},{"name":"three","function":"three"},
    {"name":"half","function":"half"},{"name":"word","function":"word"},{"name":"other","function":"other"}])";
  for (const auto& [input, target] : std::map<std::string, std::string>{{R"({"v":true})", "yes"},
                                                                        {R"({"v":"true"})", "yes"},
                                                                        {R"({"v":null})", "none"},
                                                                        {R"({})", "none"},
                                                                        {R"({"v":3})", "three"},
                                                                        {R"({"v":2.5})", "half"},
                                                                        {R"({"v":"text"})", "word"},
                                                                        {R"({"v":false})", "other"},
                                                                        {R"({"v":["text"]})", "other"}}) {
    World world;
    world.run_of(steps, input);
    EXPECT_THAT(world.targets(), ElementsAre(target)) << input;
    EXPECT_EQ(world.input(target), json::parse(input)) << "a branch gives nothing";
  }
}

TEST(Decisions, ABranchWithoutACaseFails) {
  World world;
  world.run_of(R"([{"name":"which","branch":"$.input","cases":{"a":"end"}}])", "\"b\"");
  EXPECT_EQ(world.error_type(), "pipelines:no-case");
  EXPECT_EQ(world.state(), "failed");
  World caught;
  caught.run_of(
      R"([{"name":"which","branch":"$.input","cases":{"a":"end"},"on_error":"x"},{"name":"x","function":"f"}])",
      "[]");
  EXPECT_THAT(caught.targets(), ElementsAre("f"));
}

TEST(Decisions, GoingBackIsAllowedAndPathsLeadToTheLatestOutput) {
  World world;
  world.run_of(R"([{"name":"try","function":"f","input":"$.steps.try"},
    {"name":"enough","branch":"$.steps.try","cases":{"3":"end"},"default":"try"}])");
  for (const auto* seen : {"null", "1", "2"}) {
    EXPECT_EQ(world.open.at(0)->body, seen);
    world.answer("f", std::to_string(json::parse(seen).is_null() ? 1 : json::parse(seen).get<int>() + 1));
  }
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_EQ(world.head().trace.size(), 6U);
}

TEST(Decisions, ARunThatGoesRoundEndsSomeTime) {
  World world;
  world.run_of(
      R"([{"name":"a","branch":"$.input","cases":{"null":"b"}},{"name":"b","branch":"$.input","cases":{"null":"a"}}])");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.error_type(), "pipelines:too-long");
  EXPECT_EQ(world.head().trace.size(), kMaxExecuted);
  world.must(retry(world.run));
  EXPECT_EQ(world.error_type(), "pipelines:too-long");
}

TEST(Decisions, AWaitGoesOnAtItsTime) {
  World world;
  world.run_of(R"([{"name":"pause","wait":"3d"},{"name":"a","function":"f"}])", "5");
  const auto event = world.open.at(0);
  EXPECT_TRUE(is_timer(*event));
  EXPECT_EQ(event->not_before, world.tx.time + 72h);
  EXPECT_GT(policy_of(*event).max_age, 72h);
  EXPECT_EQ(world.head().trace[0].until, to_millis(world.tx.time + 72h));
  EXPECT_THAT(world.trace(), ElementsAre("pause:waiting"));
  world.must(step_ended(*event, World::died()));  // however its delivery has ended
  EXPECT_THAT(world.trace(), ElementsAre("pause:succeeded", "a:running"));
  EXPECT_EQ(world.input("f"), 5);
  world.must(timer(*event));
  EXPECT_EQ(world.calls("f").size(), 1U);
}

TEST(Decisions, ARunIsKeptForATimeAfterItsEnd) {
  World world;
  world.deploy(R"([{"name":"a","function":"f"}])", R"(,"keep":"2m")");
  world.start();
  world.tx.time += 1h;
  world.tx.remove_expired();
  const auto call = world.open.at(0);
  world.answer("f", "");
  world.tx.time += 119s;
  world.tx.remove_expired();
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_EQ(world.tx.documents.size(), 6U);
  world.tx.time += 1s;
  world.tx.remove_expired();
  EXPECT_EQ(world.tx.documents.size(), 1U);
  world.must(step_ended(*call, World::answered("")));
}

}  // namespace
}  // namespace mayfly::pipelines
