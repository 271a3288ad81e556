#include "base/wheel_timer.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace mayfly {
namespace {

struct Probe : DeadlineEntry {
  int fired = 0;
  void on_deadline() override { ++fired; }
};

class WheelTimerTest : public testing::Test {
 protected:
  static MonotonicTime in(milliseconds time) { return std::chrono::steady_clock::now() + time; }
  /// Whether it fires, far from the hour that other entries of the test wait.
  bool fires(Probe& probe) {
    const auto patience = in(std::chrono::seconds(20));
    while (probe.fired == 0 && std::chrono::steady_clock::now() < patience)
      if (io_.run_one_until(patience) == 0) break;
    return probe.fired == 1;
  }
  boost::asio::io_context io_;
  DeadlineWheel wheel_{std::chrono::steady_clock::now()};
  WheelTimer timer_{io_.get_executor(), wheel_};
};

TEST_F(WheelTimerTest, WithoutDeadlinesNothingIsAwaited) {
  EXPECT_EQ(io_.run(), 0U);  // comes back: there is nothing to wait for
  io_.restart();
  Probe probe;
  wheel_.add(probe, in(milliseconds(5)));
  EXPECT_GE(io_.run(), 1U);  // comes back again, when it is over
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(WheelTimerTest, AnEarlierDeadlineIsNotSleptThrough) {
  Probe late, early, earlier;
  wheel_.add(late, in(std::chrono::hours(1)));
  wheel_.add(early, in(milliseconds(30)));
  wheel_.add(earlier, in(milliseconds(10)));
  EXPECT_TRUE(fires(earlier));
  EXPECT_TRUE(fires(early));
  EXPECT_EQ(late.fired, 0);
}

TEST_F(WheelTimerTest, ADeadlineThatACallbackAddsIsMet) {
  struct Twice final : Probe {
    void on_deadline() override {
      Probe::on_deadline();
      wheel->add(*next, std::chrono::steady_clock::now() + milliseconds(10));
    }
    DeadlineWheel* wheel = nullptr;
    Probe* next = nullptr;
  };
  Probe second;
  Twice first;
  first.wheel = &wheel_;
  first.next = &second;
  wheel_.add(first, in(milliseconds(5)));
  EXPECT_TRUE(fires(second));
}

TEST_F(WheelTimerTest, LaterDeadlinesDoNotTouchTheTimer) {
  Probe first;
  wheel_.add(first, in(std::chrono::hours(1)));
  wheel_.on_earlier = [](MonotonicTime) { ADD_FAILURE() << "the timer is set already"; };
  std::vector<std::unique_ptr<Probe>> others;
  for (int i = 0; i < 1000; ++i) {
    others.push_back(std::make_unique<Probe>());
    wheel_.add(*others.back(), in(std::chrono::hours(1) + milliseconds(i + 10)));
  }
  others.clear();
}

}  // namespace
}  // namespace mayfly
