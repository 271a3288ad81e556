// Steps that wait for an event of their run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/store.h"
#include "pipelines/kept_events.h"
#include "pipelines/world_test_support.h"

namespace mayfly::pipelines {
namespace {

using namespace std::chrono_literals;
using events::EventsErrc;
using testing::ElementsAre;

constexpr const char* kSteps = R"([
  {"name":"a","function":"f"},
  {"name":"verified","await":"verify","timeout":"2h"},
  {"name":"b","function":"g"}])";

TEST(Await, TakesTheEventsBodyAsItsOutput) {
  World world;
  world.run_of(kSteps);
  world.answer("f", "");
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "verified:waiting"));
  EXPECT_EQ(world.head().trace[1].until, to_millis(world.tx.time + 2h));
  const auto timer_of_it = world.open.at(0);
  const auto of_no_use = std::make_shared<std::vector<events::DeliveryId>>();
  world.must(signal(world.run, "verify", R"({"code":1})", of_no_use));
  EXPECT_THAT(*of_no_use, ElementsAre(events::DeliveryId{timer_of_it->stream, timer_of_it->position, 0,
                                                         timer_of_it->check}));
  EXPECT_EQ(world.calls("g").at(0)->body, R"({"code":1})");
  world.fire();
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "verified:succeeded", "b:running"));
}

TEST(Await, TakesTheFirstOfTheEventsThatCameBefore) {
  World world;
  world.run_of(kSteps);
  world.must(signal(world.run, "verify", "1"));
  world.must(signal(world.run, "verify", "2"));
  EXPECT_THAT(world.targets(), ElementsAre("f"));
  world.answer("f", "");
  EXPECT_EQ(world.calls("g").at(0)->body, "1");
  EXPECT_THAT(world.targets(), ElementsAre("g"));
  EXPECT_EQ(*world.tx.get(event_key(world.run, "verify")), "2") << "it is still there for another step";
}

TEST(Await, EventsThatCameBeforeAreTakenInTheirOrder) {
  World world;
  world.run_of(R"([{"name":"a","function":"f"},{"name":"one","await":"e"},{"name":"b","function":"g"},
                   {"name":"two","await":"e"},{"name":"three","await":"e"},{"name":"c","function":"h"},
                   {"name":"four","await":"e"},{"name":"other","await":"e-2"}])");
  for (const auto* body : {"1", "2", "3"}) world.must(signal(world.run, "e", body));
  world.must(signal(world.run, "e-2", "another name"));
  world.answer("f", "");
  EXPECT_EQ(world.calls("g").at(0)->body, "1");
  world.must(signal(world.run, "e", "4"));
  world.answer("g", "");
  EXPECT_EQ(world.calls("h").at(0)->body, "3");
  world.answer("h", "");
  EXPECT_EQ(world.state(), "succeeded");
}

TEST(Await, NotAnyNumberOfEventsIsKept) {
  World world;
  world.run_of(kSteps);
  for (std::size_t i = 0; i < kMaxKeptEvents; ++i) world.must(signal(world.run, "verify", "1"));
  EXPECT_EQ(world.decide(signal(world.run, "verify", "1")).error().code, EventsErrc::backlog_full);
  world.answer("f", "");
  world.must(signal(world.run, "verify", "1"));
}

TEST(Await, TakesAnEventOnce) {
  World world;
  world.run_of(R"([{"name":"one","await":"e"},{"name":"two","await":"e"}])");
  world.must(signal(world.run, "e", "1"));
  EXPECT_THAT(world.trace(), ElementsAre("one:succeeded", "two:waiting"));
  world.must(signal(world.run, "e", "2"));
  EXPECT_EQ(world.state(), "succeeded");
}

TEST(Await, FailsWhenTheEventDoesNotCome) {
  World world;
  world.run_of(kSteps);
  world.answer("f", "");
  world.fire();
  EXPECT_EQ(world.state(), "failed");
  EXPECT_EQ(world.error_type(), "pipelines:timed-out");
  EXPECT_EQ(world.decide(signal(world.run, "verify", "")).error().code, EventsErrc::run_ended);
}

TEST(Await, CanGoOnElsewhereWhenTheEventDoesNotCome) {
  World world;
  world.run_of(R"([{"name":"w","await":"e","on_error":"remind"},{"name":"b","function":"g","next":"end"},
                   {"name":"remind","function":"r","next":"w"}])");
  EXPECT_EQ(*world.open.at(0)->not_before, world.tx.time + 24h);
  world.fire();
  world.answer("r", "");
  EXPECT_THAT(world.trace(), ElementsAre("w:failed", "remind:succeeded", "w:waiting"));
  world.must(signal(world.run, "e", ""));
  EXPECT_THAT(world.targets(), ElementsAre("", "g"));
  world.fire();  // the timer of the second time
  EXPECT_THAT(world.targets(), ElementsAre("g"));
  EXPECT_EQ(world.head().trace[2].state, EntryState::succeeded);
}

TEST(Await, RefusesEventsThatNoStepWaitsForAndBodiesThatAreNoValues) {
  World world;
  world.run_of(kSteps);
  for (const auto* name : {"", "other", "verify/../x"})
    EXPECT_EQ(world.decide(signal(world.run, name, "")).error().code, EventsErrc::not_awaited) << name;
  EXPECT_EQ(world.decide(signal(world.run, "verify", "\xff")).error().code, EventsErrc::bad_value);
  world.answer("f", "");
  EXPECT_EQ(world.decide(signal(world.run, "verify", "\xff")).error().code, EventsErrc::bad_value);
  EXPECT_THAT(world.trace(), ElementsAre("a:succeeded", "verified:waiting"));
  world.must(cancel(world.run, nullptr));
  EXPECT_EQ(world.decide(signal(world.run, "verify", "")).error().code, EventsErrc::run_ended);
}

}  // namespace
}  // namespace mayfly::pipelines
