// Fan-outs: `each`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipelines/execution.h"
#include "pipelines/world_test_support.h"

namespace mayfly::pipelines {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kTwoAtOnce =
    R"([{"name":"all","function":"f","each":"$.input","concurrency":2},{"name":"b","function":"g"}])";
constexpr const char* kWithUndo =
    R"([{"name":"all","function":"f","each":"$.input","concurrency":2,"undo":"u"},{"name":"b","function":"g"}])";

std::vector<std::string> bodies(const World& world, std::string_view function) {
  std::vector<std::string> all;
  for (const auto& event : world.calls(function)) all.push_back(event->body);
  return all;
}

/// The parts of the run that are not kept for its whole time.
std::size_t leftovers(const World& world) {
  return static_cast<std::size_t>(std::ranges::count_if(world.tx.documents, [](const auto& one) {
    return !one.second.expires && (one.first.contains("/item/") || one.first.contains("/call/"));
  }));
}

TEST(FanOut, CallsForEachElementSomeAtOnceAndJoinsInOrder) {
  World world;
  world.run_of(kTwoAtOnce, R"(["a", {"b":2}, null, 4])");
  EXPECT_THAT(bodies(world, "f"), ElementsAre(R"("a")", R"({"b":2})"));
  EXPECT_EQ(step_ref(*world.open.at(1))->index, 1U);
  world.end(world.calls("f").at(1), World::answered("second"));
  EXPECT_THAT(bodies(world, "f"), ElementsAre(R"("a")", "null"));
  world.answer("f", "first");
  world.answer("f", "");
  EXPECT_THAT(bodies(world, "f"), ElementsAre("4"));
  EXPECT_THAT(world.trace(), ElementsAre("all:running"));
  world.answer("f", "[4]");
  EXPECT_EQ(world.input("g"), json::parse(R"(["first","second",null,[4]])"));
  EXPECT_EQ(world.head().trace[0].done, 4U);
  EXPECT_EQ(leftovers(world), 0U);
}

TEST(FanOut, ManyAreJoinedInOrderToo) {
  World world;
  json list = json::array();
  for (int i = 0; i < 120; ++i) list.push_back(i);
  world.run_of(
      R"([{"name":"all","function":"f","each":"$.input","concurrency":1000},{"name":"b","function":"g"}])",
      list.dump());
  EXPECT_THAT(world.open, SizeIs(120));
  while (!world.calls("f").empty()) {
    const auto last = world.calls("f").back();
    world.end(last, World::answered(last->body));
  }
  EXPECT_EQ(world.input("g"), list);
}

TEST(FanOut, AnInputCanTakeTheElementApart) {
  World world;
  world.run_of(
      R"([{"name":"all","function":"f","each":"$.input.list","input":{"n":"$.item.n","i":"$.index","of":"$.input.of",
                   "whole":"$.item"}}])",
      R"({"list":[{"n":5},{"n":6}],"of":"x"})");
  EXPECT_THAT(bodies(world, "f"), ElementsAre(R"({"i":0,"n":5,"of":"x","whole":{"n":5}})",
                                              R"({"i":1,"n":6,"of":"x","whole":{"n":6}})"));
}

TEST(FanOut, OfNothingGivesNothing) {
  World world;
  world.run_of(kTwoAtOnce, "[]");
  EXPECT_EQ(world.input("g"), json::array());
  EXPECT_THAT(world.trace(), ElementsAre("all:succeeded", "b:running"));
}

TEST(FanOut, OfWhatIsNoListFails) {
  for (const auto* input : {"null", "{}", "\"text\"", "1"}) {
    World world;
    world.run_of(kTwoAtOnce, input);
    EXPECT_EQ(world.error_type(), "pipelines:bad-path") << input;
    EXPECT_EQ(world.state(), "failed");
  }
}

TEST(FanOut, OfTooManyFails) {
  World world;
  std::string list = "[0";
  for (std::size_t i = 0; i < kMaxItems; ++i) list += ",0";
  world.run_of(kTwoAtOnce, list + "]");
  EXPECT_EQ(world.error_type(), "pipelines:too-large");
  EXPECT_THAT(world.open, IsEmpty());
}

TEST(FanOut, TheFirstFailureFailsTheStepAndNoneIsBegunAnyMore) {
  World world;
  world.run_of(kTwoAtOnce, "[1,2,3,4]");
  const auto late = world.calls("f").at(1);
  world.die("f");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.error_type(), "status");
  EXPECT_EQ(world.head().error->failure.message, "call 0: answered with status 500");
  const auto documents = world.tx.documents;
  world.end(late, World::answered("2"));
  EXPECT_EQ(world.tx.documents, documents) << "nothing is written after the end";
  EXPECT_THAT(world.open, IsEmpty());
  EXPECT_EQ(leftovers(world), 0U);
}

TEST(FanOut, ResultsThatComeLateAreKeptAndChangeNothing) {
  World world;
  world.run_of(
      R"([{"name":"all","function":"f","each":"$.input","on_error":"sorry"},{"name":"sorry","function":"g"}])",
      "[1,2,3]");
  world.die("f");
  EXPECT_THAT(world.trace(), ElementsAre("all:failed", "sorry:running"));
  world.answer("f", "two");
  world.die("f");
  EXPECT_THAT(world.trace(), ElementsAre("all:failed", "sorry:running"));
  EXPECT_EQ(world.head().trace[0].done, 1U);
  EXPECT_EQ(world.head().trace[0].failure->message, "call 0: answered with status 500");
  EXPECT_EQ(world.tx.get(outputs_prefix(world.run, 0) + "00001")->value_or(""), "\"two\"");
  EXPECT_THAT(world.targets(), ElementsAre("g"));
}

TEST(FanOut, WhatIsToldAgainIsNotCounted) {
  World world;
  world.run_of(kTwoAtOnce, "[1,2,3,4]");
  const auto first = world.calls("f").at(0);
  world.answer("f", "1");
  const auto documents = world.tx.documents;
  world.must(step_ended(*first, World::answered("other")));
  world.must(step_ended(*first, World::died()));
  EXPECT_EQ(world.tx.documents, documents);
  EXPECT_THAT(world.open, SizeIs(2));
}

TEST(FanOut, ACallWhoseInputIsTooLargeFailsTheStep) {
  World world;
  world.run_of(
      R"([{"name":"all","function":"f","each":"$.input.list","input":["$.input.big","$.input.big","$.item"]}])",
      R"({"list":[1,2],"big":")" + std::string(kMaxValue / 2, 'x') + "\"}");
  EXPECT_EQ(world.error_type(), "pipelines:too-large");
  EXPECT_EQ(world.state(), "failed");
}

TEST(FanOut, OutputsAreBoundedAltogether) {
  World world;
  json list = json::array();
  for (int i = 0; i < 20; ++i) list.push_back(i);
  world.run_of(R"([{"name":"all","function":"f","each":"$.input","concurrency":1}])", list.dump());
  const auto large = "\"" + std::string(kMaxValue - 2, 'x') + "\"";
  for (int i = 0; i < 15; ++i) world.answer("f", large);
  EXPECT_EQ(world.state(), "running");
  world.answer("f", large);
  EXPECT_EQ(world.error_type(), "pipelines:too-large");
  EXPECT_THAT(world.open, IsEmpty());
}

constexpr const char* kWithTheWhole =
    R"([{"name":"all","function":"f","each":"$.input.list","input":["$.input","$.item"],"concurrency":1000}])";

std::string many_and_large(std::size_t many, std::size_t bytes) {
  json input{{"list", json::array()}, {"big", std::string(bytes, 'x')}};
  for (std::size_t i = 0; i < many; ++i) input["list"].push_back(i);
  return input.dump();
}

TEST(FanOut, WhatARunStoresIsBoundedAltogether) {
  World world;
  world.run_of(kWithTheWhole, many_and_large(1'000, kMaxValue / 2));
  while (!world.calls("f").empty() && world.state() == "running") world.answer("f", "");
  EXPECT_EQ(world.error_type(), "pipelines:run-too-large");
  EXPECT_LE(world.head().bytes, kMaxRun);
  EXPECT_GT(world.head().bytes, kMaxRun - kMaxValue);
}

TEST(FanOut, LargeInputsAreNotAllWrittenInOneDecision) {
  World world;
  world.run_of(kWithTheWhole, many_and_large(100, kMaxValue / 2));
  std::size_t bytes = 0;
  for (const auto& event : world.calls("f")) bytes += event->body.size();
  EXPECT_GE(bytes, kMaxAtOnce);
  EXPECT_LE(bytes, kMaxAtOnce + kMaxValue);
  while (!world.calls("f").empty()) world.answer("f", "1");
  EXPECT_EQ(world.state(), "succeeded");
  EXPECT_EQ(world.head().trace[0].done, 100U);
}

TEST(FanOut, WithAnUndoFailsWhenTheCallsUnderWayHaveEnded) {
  World world;
  world.run_of(kWithUndo, "[1,2,3,4]");
  world.answer("f", "one");
  world.die("f");
  EXPECT_THAT(world.trace(), ElementsAre("all:running"));
  EXPECT_THAT(bodies(world, "f"), ElementsAre("3"));
  world.answer("f", "three");
  EXPECT_THAT(world.trace(), ElementsAre("all:failed", "-all:running"));
  EXPECT_EQ(world.input("u")["output"], json::parse(R"(["one",null,"three",null])"));
  EXPECT_EQ(world.input("u")["error"]["message"], "call 1: answered with status 500");
  world.answer("u", "");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.head().compensated, true);
}

TEST(FanOut, IsNotUndoneIfNothingWasDone) {
  World world;
  world.run_of(kWithUndo, "[1]");
  world.die("f");
  EXPECT_EQ(world.state(), "failed");
  EXPECT_THAT(world.trace(), ElementsAre("all:failed"));
}

TEST(FanOut, ThatHasSucceededIsUndoneWithItsOutput) {
  World world;
  world.run_of(kWithUndo, "[1]");
  world.answer("f", "one");
  world.die("g");
  EXPECT_EQ(world.input("u")["output"], json::parse(R"(["one"])"));
}

TEST(FanOut, CanBeCancelledAndItsCallsAreHeardToTheirEnd) {
  World world;
  world.run_of(kWithUndo, "[1,2,3,4]");
  world.answer("f", "one");
  const auto heard = std::make_shared<std::vector<events::DeliveryId>>();
  world.must(cancel(world.run, nullptr, heard));
  std::vector<events::Position> open;
  for (const auto& id : *heard) open.push_back(id.position);
  EXPECT_THAT(open, ElementsAre(world.calls("f").at(0)->position, world.calls("f").at(1)->position));
  world.end_first("f", World::outcome(events::State::cancelled));
  EXPECT_THAT(world.targets(), ElementsAre("f")) << "none begins, nothing is undone yet";
  world.answer("f", "three");
  EXPECT_THAT(world.trace(), ElementsAre("all:cancelled", "-all:running"));
  EXPECT_EQ(world.input("u")["output"], json::parse(R"(["one",null,"three",null])"));
  EXPECT_EQ(world.head().trace[0].failure->type, "pipelines:cancelled");
  world.answer("u", "");
  EXPECT_EQ(world.state(), "cancelled");
}

}  // namespace
}  // namespace mayfly::pipelines
