// How runs end that do not succeed: undo, cancel, retry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/store.h"
#include "pipelines/world_test_support.h"

namespace mayfly::pipelines {
namespace {

using events::EventsErrc;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kSaga = R"([
  {"name":"a","function":"fa","undo":"ua","attempts":9},
  {"name":"plain","function":"fp"},
  {"name":"b","function":"fb","undo":"ub"},
  {"name":"c","function":"fc"}])";

/// Up to the call of the last step.
void go_to_c(World& world, const std::string& input = "null") {
  world.run_of(kSaga, input);
  world.answer("fa", "A");
  world.answer("fp", "P");
  world.answer("fb", "B");
}

TEST(Compensation, UndoesWhatHasSucceededTheLatestFirst) {
  World world;
  go_to_c(world, R"({"n":1})");
  world.die("fc");
  EXPECT_EQ(world.state(), "compensating");
  EXPECT_THAT(world.targets(), ElementsAre("ub"));
  EXPECT_EQ(world.input("ub"), json::parse(R"({"input":{"n":1},"output":"B",
    "error":{"step":"c","type":"status","message":"answered with status 500"},
    "run":{"id":"00000000000000000000000000000001","pipeline":"p"}})"));
  world.answer("ub", "\xff");  // what it answers is of no interest
  EXPECT_THAT(world.targets(), ElementsAre("ua"));
  EXPECT_EQ(policy_of(*world.open.at(0)).attempts, 9);
  EXPECT_EQ(world.input("ua")["output"], "A");
  world.answer("ua", "");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.head().compensated, true);
  EXPECT_EQ(world.error_type(), "status");
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "plain:succeeded", "b:succeeded", "c:failed",
                                         "-b:succeeded", "-a:succeeded"));
  EXPECT_EQ(world.head().trace[4].undo_of, 2U);
}

TEST(Compensation, GoesOnWhenAnUndoFails) {
  World world;
  go_to_c(world);
  world.die("fc");
  world.die("ub");
  world.end_first("ua", World::outcome(events::State::cancelled));
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.head().compensated, false);
  EXPECT_EQ(world.error_type(), "status");
  EXPECT_EQ(world.head().trace[5].failure->type, "pipelines:cancelled");
}

TEST(Compensation, UndoesEachExecution) {
  World world;
  world.run_of(
      R"([{"name":"a","function":"f","undo":"u"},{"name":"again","branch":"$.steps.a","cases":{"2":"b"},"default":"a"},
                   {"name":"b","function":"g"}])");
  world.answer("f", "1");
  world.answer("f", "2");
  world.die("g");
  EXPECT_EQ(world.input("u")["output"], 2);
  const auto first = world.calls("u").front();
  world.answer("u", "");
  world.must(step_ended(*first, World::died()));  // told again
  EXPECT_EQ(world.input("u")["output"], 1);
  world.answer("u", "");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.head().compensated, true);
}

TEST(Compensation, DoesNotUndoWhatHasFailed) {
  World world;
  world.run_of(R"([{"name":"a","function":"f","undo":"u","on_error":"b"},{"name":"b","function":"g"}])");
  world.die("f");
  world.die("g");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_THAT(world.trace(), ElementsAre("a:failed", "b:failed"));
}

TEST(Cancel, EndsTheRunAndNamesWhatIsOpen) {
  World world;
  go_to_c(world);
  const auto open = std::make_shared<std::vector<events::DeliveryId>>(3);
  const auto call = world.open.at(0);
  world.must(cancel(world.run, open));
  EXPECT_THAT(*open, ElementsAre(events::DeliveryId{call->stream, call->position, 0, call->check}));
  EXPECT_EQ(world.state(), "compensating");
  EXPECT_EQ(world.decide(cancel(world.run, open)).error().code, EventsErrc::run_ended);
  EXPECT_THAT(*open, IsEmpty());
  world.end(call, World::answered("C, all the same"));
  EXPECT_THAT(world.targets(), ElementsAre("ub"));
  EXPECT_EQ(world.input("ub")["error"]["type"], "pipelines:cancelled");
  world.answer("ub", "");
  world.answer("ua", "");
  EXPECT_EQ(world.state(), "cancelled");
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "plain:succeeded", "b:succeeded", "c:cancelled",
                                         "-b:succeeded", "-a:succeeded"));
  EXPECT_EQ(world.decide(cancel(world.run, open)).error().code, EventsErrc::run_ended);
}

TEST(Cancel, UndoesACallThatWasUnderWayOnceItHasSucceeded) {
  World world;
  world.run_of(R"([{"name":"a","function":"fa","undo":"ua"},{"name":"b","function":"fb","undo":"ub"}])");
  world.answer("fa", "A");
  const auto cut = std::make_shared<std::vector<events::DeliveryId>>();
  const auto heard = std::make_shared<std::vector<events::DeliveryId>>();
  const auto call = world.calls("fb").at(0);
  world.must(cancel(world.run, cut, heard));
  EXPECT_THAT(*cut, IsEmpty());
  EXPECT_THAT(*heard, ElementsAre(events::DeliveryId{call->stream, call->position, 0, call->check}));
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "b:running"));
  EXPECT_THAT(world.targets(), ElementsAre("fb")) << "nothing is undone before it is known what was done";
  EXPECT_EQ(world.decide(cancel(world.run, cut)).error().code, EventsErrc::run_ended);
  world.answer("fb", "B");
  world.must(step_ended(*call, World::answered("told again")));
  EXPECT_EQ(world.input("ub")["output"], "B");
  world.answer("ub", "");
  world.answer("ua", "");
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "b:succeeded", "-b:succeeded", "-a:succeeded"));
  EXPECT_EQ(world.state(), "cancelled");
  EXPECT_EQ(world.head().compensated, true);
}

TEST(Cancel, DoesNotUndoACallThatWasUnderWayAndHasFailed) {
  for (const auto& end : {World::died(), World::outcome(events::State::cancelled)}) {
    World world;
    world.run_of(R"([{"name":"a","function":"f","undo":"u","on_error":"b"},{"name":"b","function":"g"}])");
    world.must(cancel(world.run, nullptr));
    world.end_first("f", end);
    EXPECT_THAT(world.trace(), ElementsAre("a:cancelled"));
    EXPECT_EQ(world.state(), "cancelled");
    EXPECT_THAT(world.open, IsEmpty());
  }
}

TEST(Compensation, UndoesWhatSucceededWithAnAnswerThatCannotBeKept) {
  for (const bool cancelled : {false, true}) {
    World world;
    world.run_of(R"([{"name":"a","function":"f","undo":"u"}])");
    if (cancelled) world.must(cancel(world.run, nullptr));
    world.answer("f", "\xff");
    EXPECT_EQ(world.input("u")["output"], nullptr);
    world.answer("u", "");
    EXPECT_EQ(world.state(), cancelled ? "cancelled" : "failed");
  }
}

TEST(Cancel, EndsAWaitAtOnce) {
  World world;
  world.run_of(R"([{"name":"pause","wait":"3d"},{"name":"a","function":"f"}])");
  const auto timer_of_it = world.open.at(0);
  const auto open = std::make_shared<std::vector<events::DeliveryId>>();
  world.must(cancel(world.run, open));
  EXPECT_EQ(open->size(), 1U);
  EXPECT_EQ(world.state(), "cancelled");
  EXPECT_EQ(world.head().compensated, false);
  world.fire();
  EXPECT_THAT(world.trace(), ElementsAre("pause:cancelled"));
  world.must(step_ended(*timer_of_it, World::outcome(events::State::cancelled)));
  EXPECT_EQ(world.state(), "cancelled");
}

TEST(Cancel, OfNoRunIsRefused) {
  World world;
  EXPECT_EQ(world.decide(cancel(world.run, nullptr)).error().code, EventsErrc::unknown_run);
  EXPECT_EQ(world.decide(retry(world.run)).error().code, EventsErrc::unknown_run);
  EXPECT_EQ(world.decide(signal(world.run, "e", "")).error().code, EventsErrc::unknown_run);
}

TEST(Retry, ExecutesTheStepThatFailedOnceMore) {
  World world;
  world.run_of(
      R"([{"name":"a","function":"f"},{"name":"b","function":"g","input":["$.steps.a","$.error"]}])");
  EXPECT_EQ(world.decide(retry(world.run)).error().code, EventsErrc::run_ended);
  world.answer("f", "1");
  world.die("g");
  EXPECT_EQ(world.state(), "failed");
  world.must(retry(world.run));
  EXPECT_EQ(world.state(), "running");
  EXPECT_FALSE(world.head().error);
  EXPECT_FALSE(world.head().compensated);
  EXPECT_EQ(world.input("g"), json::parse("[1,null]"));
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "b:failed", "b:running"));
  for (const auto& [key, kept] : world.tx.documents) EXPECT_FALSE(kept.expires) << key;
  world.answer("g", "");
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_EQ(world.decide(retry(world.run)).error().code, EventsErrc::run_ended);
}

TEST(Retry, OfAFanOutIsANewOne) {
  World world;
  world.run_of(
      R"([{"name":"all","function":"f","each":"$.input","concurrency":1},{"name":"b","function":"g"}])",
      "[1,2]");
  world.answer("f", "a");
  world.die("f");
  world.must(retry(world.run));
  world.answer("f", "b");
  world.answer("f", "c");
  EXPECT_EQ(world.input("g"), json::parse(R"(["b","c"])"));
}

TEST(Retry, IsRefusedOnceAnythingWasUndoneOrTheRunWasCancelled) {
  World world;
  go_to_c(world);
  world.die("fc");
  EXPECT_EQ(world.decide(retry(world.run)).error().code, EventsErrc::run_ended);
  world.die("ub");
  world.die("ua");
  EXPECT_EQ(world.decide(retry(world.run)).error().code, EventsErrc::run_ended);
  World cancelled;
  cancelled.run_of(R"([{"name":"a","function":"f"}])");
  cancelled.must(cancel(cancelled.run, nullptr));
  EXPECT_EQ(cancelled.decide(retry(cancelled.run)).error().code, EventsErrc::run_ended);
}

TEST(Retry, OfAHandlerFindsTheErrorThatItHandles) {
  World world;
  world.run_of(
      R"([{"name":"a","function":"f","on_error":"b"},{"name":"b","function":"g","input":"$.error.type"}])");
  world.end_first("f", World::died("first", ""));
  world.end_first("g", World::died("second", ""));
  EXPECT_EQ(world.error_type(), "second");
  world.must(retry(world.run));
  EXPECT_EQ(world.input("g"), "first");
}

}  // namespace
}  // namespace mayfly::pipelines
