#include "events/schedules.h"

#include <gtest/gtest.h>

#include "events/queue_test_support.h"

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

/// Goes on by itself, and its wall can be set.
class SetClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime now() const override { return MonotonicTime{} + 1s + passed; }
  [[nodiscard]] WallTime wall() const override { return WallTime{} + 1'000'000h + passed + set; }
  nanoseconds passed{0};
  nanoseconds set{0};
};

struct SchedulesTest : testing::Test {
  SchedulesTest() { start(); }

  /// As after a start of the daemon.
  void start(std::map<std::string, std::int64_t> marks = {}) {
    schedules = std::make_unique<Schedules>(
        wheel, clock,
        [this](NewEvent event, Then<std::vector<Accepted>> then) {
          const auto mark = event.mark;
          const bool known = mark && marks_of_store.contains(mark->name) &&
                             marks_of_store[mark->name] >= mark->value &&
                             marks_of_store[mark->name] <= mark->latest;
          if (works && mark && !known) marks_of_store[mark->name] = mark->value;
          if (works && !known) accepted.push_back(std::move(event));
          auto answer = [this, then] {
            if (!works) return then(fail(EventsErrc::store_failed, "no"));
            then(std::vector<Accepted>(1));
          };
          if (at_once) return answer();
          answers.push_back(answer);
        },
        [this](const Mark& mark) { marks_of_store[mark.name] = mark.value; });
    schedules->set_marks(std::move(marks));
  }
  /// Each minute.
  ScheduleSpec spec() const {
    ScheduleSpec spec;
    spec.text = "* * * * *";
    spec.timezone = "UTC";
    spec.payload = "hello";
    spec.since = since;
    spec.next = [](WallTime after) -> std::optional<WallTime> {
      return std::chrono::floor<std::chrono::minutes>(after) + 1min;
    };
    return spec;
  }
  void advance(nanoseconds by) {
    for (nanoseconds done{0}; done < by; done += 10s) {  // a timer never sleeps for more than half a minute
      clock.passed += std::min<nanoseconds>(10s, by - done);
      wheel.advance(clock.now());
    }
  }
  std::string name() const { return spec().name("f"); }
  ScheduleView view() const { return schedules->list().at(0); }

  SetClock clock;
  DeadlineWheel wheel{clock.now()};
  WallTime since = clock.wall();
  bool works = true;
  bool at_once = true;
  std::vector<NewEvent> accepted;
  std::map<std::string, std::int64_t> marks_of_store;
  std::vector<std::function<void()>> answers;
  std::unique_ptr<Schedules> schedules;
};

TEST_F(SchedulesTest, AnEventIsAcceptedAtEachTime) {
  schedules->set("f", spec(), 7, false);
  advance(50s);
  EXPECT_TRUE(accepted.empty());
  advance(20s);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_EQ(accepted[0].stream, 7U);
  EXPECT_EQ(accepted[0].form, Form::schedule);
  EXPECT_EQ(accepted[0].body, "hello");
  EXPECT_TRUE(accepted[0].fields.contains(std::to_string(to_millis(since + 1min))));
  advance(2min);
  EXPECT_EQ(accepted.size(), 3U);
}

TEST_F(SchedulesTest, OfTimesThatPassedWhileNoDaemonRanOneIsMadeUpFor) {
  schedules->set("f", spec(), 7, false);
  advance(61s);
  ASSERT_EQ(accepted.size(), 1U);
  schedules.reset();
  clock.passed += 10min;
  start(marks_of_store);
  schedules->set("f", spec(), 7, false);
  advance(10s);
  EXPECT_EQ(accepted.size(), 2U);
  advance(1min);
  EXPECT_EQ(accepted.size(), 3U);
}

TEST_F(SchedulesTest, MissedTimesAreSkippedWhereThatIsWanted) {
  auto skips = spec();
  skips.run_missed = false;
  schedules->set("f", skips, 7, false);
  advance(61s);
  schedules.reset();
  clock.passed += 10min;
  start(marks_of_store);
  schedules->set("f", skips, 7, false);
  advance(10s);
  EXPECT_EQ(accepted.size(), 1U);
  advance(1min);
  EXPECT_EQ(accepted.size(), 2U);
}

TEST_F(SchedulesTest, ItsTimesPassWhileItIsPaused) {
  schedules->set("f", spec(), 7, true);
  advance(5min);
  EXPECT_TRUE(accepted.empty());
  EXPECT_TRUE(view().paused);
  schedules->pause(name(), false);
  advance(10s);
  EXPECT_TRUE(accepted.empty()) << "what passed is not made up for";
  advance(1min);
  EXPECT_EQ(accepted.size(), 1U);
}

TEST_F(SchedulesTest, WhatPassedWhileItWasPausedIsNotMadeUpForAfterAStart) {
  schedules->set("f", spec(), 7, true);
  advance(5min);
  schedules->pause(name(), false);
  start(marks_of_store);
  schedules->set("f", spec(), 7, false);
  EXPECT_FALSE(view().last) << "it has not run";
  advance(10s);
  EXPECT_TRUE(accepted.empty());
  advance(1min);
  EXPECT_EQ(accepted.size(), 1U);
}

TEST_F(SchedulesTest, OneThatComesBackBeginsThenAlsoAfterAStart) {
  schedules->set("f", spec(), 7, false);
  schedules->remove(name());
  clock.passed += 24h;
  auto back = spec();
  back.since = clock.wall();
  schedules->set("f", back, 7, false);
  start(marks_of_store);
  schedules->set("f", spec(), 7, false);  // what its version says
  advance(1s);
  EXPECT_TRUE(accepted.empty());
}

TEST_F(SchedulesTest, WhatTheStoreDoesNotTakeIsTriedAgain) {
  schedules->set("f", spec(), 7, false);
  works = false;
  advance(70s);
  EXPECT_TRUE(accepted.empty());
  works = true;
  advance(10s);
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_TRUE(accepted[0].fields.contains(std::to_string(to_millis(since + 1min))));
}

TEST_F(SchedulesTest, AClockThatIsSetBackRunsNothingTwice) {
  schedules->set("f", spec(), 7, false);
  advance(3min + 1s);
  ASSERT_EQ(accepted.size(), 3U);
  clock.set = -2min;
  advance(2min - 5s);
  EXPECT_EQ(accepted.size(), 3U);
  advance(65s);
  EXPECT_EQ(accepted.size(), 4U);
}

TEST_F(SchedulesTest, AClockThatIsSetForwardRunsItOnce) {
  schedules->set("f", spec(), 7, false);
  clock.set = 1h;
  advance(40s);
  EXPECT_EQ(accepted.size(), 1U);
}

TEST_F(SchedulesTest, AClockThatWasFarAheadForATimeStopsNothing) {
  schedules->set("f", spec(), 7, false);
  clock.set = 10'000h;
  advance(70s);
  EXPECT_EQ(accepted.size(), 2U);
  clock.set = 0h;
  advance(2min);
  EXPECT_GE(accepted.size(), 3U) << "while it runs";
  clock.set = 10'000h;
  advance(70s);
  clock.set = 0h;
  start(marks_of_store);
  const auto before = accepted.size();
  schedules->set("f", spec(), 7, false);
  advance(90s);
  EXPECT_GT(accepted.size(), before) << "after a start";
}

TEST_F(SchedulesTest, AFunctionThatGoesAndComesBackWhileItsTimeIsWrittenRunsOnce) {
  schedules->set("f", spec(), 7, false);
  at_once = false;
  advance(70s);
  ASSERT_EQ(answers.size(), 1U);
  schedules->remove(name());
  schedules->set("f", spec(), 7, false);
  advance(10s);
  EXPECT_EQ(answers.size(), 1U) << "its time is being written";
  answers[0]();
  advance(10s);
  EXPECT_EQ(accepted.size(), 1U);
  advance(1min);
  EXPECT_EQ(answers.size(), 2U) << "and it goes on";
}

TEST_F(SchedulesTest, OneThatWentWhileItsTimeWasWrittenKnowsItWhenItComesBack) {
  schedules->set("f", spec(), 7, false);
  at_once = false;
  advance(70s);
  schedules->remove(name());
  answers[0]();
  schedules->set("f", spec(), 7, false);
  advance(20s);
  EXPECT_EQ(accepted.size(), 1U);
}

TEST_F(SchedulesTest, ItIsRunByHandBesidesItsTimes) {
  EXPECT_FALSE(schedules->run(name(), [](const auto&) {}));
  schedules->set("f", spec(), 7, false);
  EXPECT_TRUE(schedules->run(name(), [](const auto&) {}));
  ASSERT_EQ(accepted.size(), 1U);
  EXPECT_FALSE(accepted[0].mark);
  advance(61s);
  EXPECT_EQ(accepted.size(), 2U);
}

TEST_F(SchedulesTest, OneWithoutFurtherTimesWaitsForNothing) {
  auto once = spec();
  const auto when = since + 1min;
  once.next = [when](WallTime after) { return after < when ? std::optional(when) : std::nullopt; };
  schedules->set("f", once, 7, false);
  advance(5min);
  EXPECT_EQ(accepted.size(), 1U);
  EXPECT_FALSE(view().next);
  EXPECT_EQ(wheel.size(), 0U);
}

}  // namespace
}  // namespace mayfly::events
