#include "pipelines/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/store.h"
#include "pipelines/world_test_support.h"

namespace mayfly::pipelines {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kSteps = R"([
  {"name":"a","function":"f","undo":"u"},
  {"name":"all","function":"g","each":"$.input"},
  {"name":"verified","await":"verify"},
  {"name":"pause","wait":"1h"},
  {"name":"which","branch":"$.input","cases":{"x":"a"}}])";

TEST(View, ShowsWhatHasBecomeOfARunAndWhatIsToCome) {
  World world;
  world.run_of(kSteps, "[1,2]");
  const auto call = world.head().trace[0].delivery;
  world.tx.time += 1500ms;
  world.answer("f", R"({"x":1})");
  world.answer("g", "one");
  auto view = world.view();
  EXPECT_EQ(view["steps"][1]["delivery"], nullptr);
  view["steps"].erase(1);
  EXPECT_EQ(
      view,
      json::parse(R"({"id":"00000000000000000000000000000001","pipeline":"p","revision":1,"state":"running",
    "started":"1970-01-02T00:00:00.000Z","steps":[
      {"step":"a","kind":"function","function":"f","state":"succeeded","started":"1970-01-02T00:00:00.000Z",
       "finished":"1970-01-02T00:00:01.500Z","delivery":")" +
                  call + R"("},
      {"step":"verified","kind":"await","event":"verify","state":"pending"},
      {"step":"pause","kind":"wait","state":"pending"},
      {"step":"which","kind":"branch","state":"pending"}]})"));
  const auto open = world.tx.get(calls_prefix(world.run, 1) + "00001").value().value_or("");
  EXPECT_EQ(world.view()["steps"][1],
            json::parse(R"({"step":"all","kind":"function","function":"g","state":"running","attempts":5,
    "started":"1970-01-02T00:00:01.500Z","items":2,"done":1,"calls":[{"index":1,"delivery":")" +
                        open + "\"}]}"));
}

TEST(View, ShowsWhatIsWaitedForAndHowItEnded) {
  World world;
  world.run_of(kSteps, "[]");
  world.answer("f", "\"A\"");
  EXPECT_EQ(world.view()["steps"][2],
            json::parse(R"({"step":"verified","kind":"await","event":"verify","state":"waiting",
    "started":"1970-01-02T00:00:00.000Z","until":"1970-01-03T00:00:00.000Z"})"));
  world.fire();
  world.answer("u", "");
  const auto view = world.view();
  EXPECT_EQ(view["state"], "failed");
  EXPECT_EQ(view["finished"], "1970-01-03T00:00:00.000Z");
  EXPECT_EQ(view["compensated"], true);
  EXPECT_EQ(view["error"], json::parse(R"({"step":"verified","type":"pipelines:timed-out",
    "message":"no event 'verify' has come in time"})"));
  ASSERT_EQ(view["steps"].size(), 4U) << "none is to come any more";
  EXPECT_EQ(view["steps"][2]["error"]["type"], "pipelines:timed-out");
  EXPECT_EQ(view["steps"][3]["undoes"], 0);
  EXPECT_EQ(view["steps"][3]["function"], "u");
}

TEST(View, HasValuesOnlyIfTheyAreWanted) {
  World world;
  world.run_of(kSteps, R"([1])");
  world.answer("f", R"({"x":1})");
  EXPECT_FALSE(world.view().contains("input"));
  EXPECT_FALSE(world.view()["steps"][0].contains("output"));
  const auto view = world.view(true);
  EXPECT_EQ(view["input"], json::parse("[1]"));
  EXPECT_EQ(view["steps"][0]["output"], json::parse(R"({"x":1})"));
  EXPECT_FALSE(view["steps"][1].contains("output"));
  EXPECT_FALSE(view.contains("values_left_out"));
}

TEST(View, LeavesOutWhatIsTooMuch) {
  World world;
  const auto large = "\"" + std::string(kMaxValue - 2, 'x') + "\"";
  std::string steps = "[";
  for (int i = 0; i < 5; ++i)
    steps += std::string(i > 0 ? "," : "") + R"({"name":"s)" + std::to_string(i) + R"(","function":"f"})";
  world.run_of(steps + "]", "1");
  for (int i = 0; i < 5; ++i) world.answer("f", large);
  const auto view = world.view(true);
  EXPECT_EQ(view["values_left_out"], true);
  EXPECT_TRUE(view["steps"][0].contains("output"));
  EXPECT_FALSE(view["steps"][4].contains("output"));
}

TEST(View, OfNoRunIsRefused) {
  World world;
  EXPECT_EQ(world.decide(view_run(world.run, false, std::make_shared<nlohmann::json>())).error().code,
            events::EventsErrc::unknown_run);
}

std::vector<std::string> ids(const RunPage& page) {
  std::vector<std::string> all;
  for (const auto& item : page.items) all.push_back(item["id"]);
  return all;
}

TEST(View, AListHasAnItemForEachRun) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"},{"name":"b","function":"g"}])");
  world.answer("f", "");
  auto page = std::make_shared<RunPage>();
  ASSERT_TRUE(read_runs("p", "", 10, page)(world.tx));
  ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0],
            json::parse(R"({"id":"00000000000000000000000000000001","pipeline":"p","revision":1,
    "state":"running","started":"1970-01-02T00:00:00.000Z","step":"b"})"));
  EXPECT_EQ(page->last, "");
  world.must(
      [&](events::Transaction& transaction) { return transaction.put(head_key(world.run), "damaged"); });
  ASSERT_TRUE(read_runs("p", "", 10, page)(world.tx));
  EXPECT_TRUE(page->items.empty());
}

TEST(View, RunsAreListedInTheOrderOfTimeWhateverTheirIds) {
  World world;
  world.deploy(R"([{"name":"a","function":"f"}])");
  const std::vector<std::string> in_order{"ff", "11", "cc", "22"};  // as those of triggers among others
  for (const auto& id : in_order) {
    world.must(start({"p", id}, ""));
    world.tx.time += 1ms;
  }
  auto page = std::make_shared<RunPage>();
  ASSERT_TRUE(read_runs("p", "", 3, page)(world.tx));
  EXPECT_THAT(ids(*page), testing::ElementsAre("22", "cc", "11"));
  ASSERT_TRUE(read_runs("p", page->last, 3, page)(world.tx));
  EXPECT_THAT(ids(*page), testing::ElementsAre("ff"));
  ASSERT_TRUE(read_runs("p", "cc", 3, page)(world.tx));
  EXPECT_THAT(ids(*page), testing::ElementsAre("11", "ff"));
  EXPECT_EQ(read_runs("p", "none", 3, page)(world.tx).error().code, events::EventsErrc::unknown_run);
}

TEST(View, AHeadIsReadAsItWasWritten) {
  const Head head{
      .state = RunState::compensating,
      .started = 1,
      .finished = 2,
      .revision = 3,
      .error = StepFailure{"a", {"t", "m"}},
      .caught = StepFailure{"b", {"u", "n"}},
      .ends = RunState::cancelled,
      .compensated = false,
      .trace = {{.step = "a",
                 .state = EntryState::waiting,
                 .started = 4,
                 .finished = 5,
                 .until = 6,
                 .delivery = "d",
                 .output = true,
                 .failure = Failure{"t", "m"}},
                {.step = "b", .undo_of = 0, .items = 0, .next = 7, .open = 8, .done = 9, .bytes = 10}}};
  EXPECT_EQ(head_from_json(to_json(head)), head);
  EXPECT_EQ(head_from_json(to_json(Head{})), Head{});
  for (const auto* text : {"", "{}", "[]", R"({"state":"odd","started":1,"ends":"failed","trace":[]})",
                           R"({"state":1,"started":1,"ends":"failed","trace":[]})"})
    EXPECT_FALSE(head_from_json(text)) << text;
}

}  // namespace
}  // namespace mayfly::pipelines
