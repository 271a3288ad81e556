#include "pool/instance_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/standing_clock_test_support.h"

namespace mayfly::pool {
namespace {

using namespace std::chrono_literals;
using meter::Outcome;

/// Bookings as the ledger would get them; the CPU time of the instance comes from what is said of it.
class InstanceMeterTest : public testing::Test, private meter::MeteredLater {
 protected:
  bool bring_up_to_date() override { return false; }
  struct Nobody final : InvocationListener {
    void on_response(Invocation&, unsigned, std::string_view, std::string_view, bool) override {}
    void on_body(Invocation&, std::string_view, bool) override {}
    void on_request_credit(Invocation&, std::size_t) override {}
    void on_failure(Invocation&, Error) override {}
  };

  void make(bool serial) {
    meter_.emplace(&account_, serial, 128U << 20U, 0, now_);
    meter_->on_serving(0, 3ms, 0ms, now_);
  }
  void begin(MeteredRun& run) {
    Invocation invocation(nobody_);
    invocation.accepted = now_ - 2ms;
    meter_->begin(run, invocation, 10, 0, now_);
  }
  void end(MeteredRun& run, int left, Outcome outcome = Outcome::answered) {
    run.note(outcome);
    meter_->end(run, left, 0, now_);
  }
  /// What children have used is told; there is no process that could be asked.
  void use(nanoseconds cpu) {
    now_ += cpu;
    used_ += cpu;
    meter_->turn_ended();
    meter_->bring_up_to_date(0, now_);
    meter_->note_children(used_);
  }
  std::vector<meter::UsageRecord> records() {
    clock_.advance(10s);
    flush();
    std::vector<meter::UsageRecord> all;
    for (const auto& batch : taken_)
      for (const auto& single : batch.singles) all.push_back(single.record);
    return all;
  }
  meter::Usage sums() {
    flush();
    meter::Usage all;
    for (const auto& batch : taken_)
      for (const auto& sum : batch.sums) all.add(sum.usage);
    return all;
  }
  void flush() { book_.flush(); }

  StandingClock clock_;
  DeadlineWheel wheel_{clock_.now()};
  std::vector<meter::UsageBatch> taken_;
  meter::Meter book_{clock_, wheel_, [this](meter::UsageBatch& batch) {
                       taken_.push_back(std::move(batch));
                       return true;
                     }};
  meter::UsageAccount account_{
      book_, {"a", 1, "", registry::InvocationClass::interactive}, static_cast<meter::MeteredLater&>(*this)};
  Nobody nobody_;
  MonotonicTime now_ = MonotonicTime{} + 100s;
  nanoseconds used_{0};
  std::optional<InstanceMeter> meter_;
};

TEST_F(InstanceMeterTest, OneAloneHasAllThatIsUsedMeanwhile) {
  make(false);
  use(1ms);  // beside invocations
  MeteredRun run;
  begin(run);
  use(4ms);
  end(run, 0);
  meter_->settle();
  use(2ms);
  const auto all = records();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].cpu_ns, 4'000'000U);
  EXPECT_EQ(all[0].wall_ns, 4'000'000U);
  EXPECT_EQ(all[0].waiting_ns, 2'000'000U);
  EXPECT_EQ(all[0].reserved_kib_ms, 4U * 128 * 1024);
  EXPECT_EQ(all[0].bytes_in, 10U);
  EXPECT_FALSE(all[0].shared);
  const auto sum = sums();
  EXPECT_EQ(sum.init_cpu_ns, 3'000'000U);
  EXPECT_EQ(sum.idle_cpu_ns, 3'000'000U);
  EXPECT_EQ(sum.busy_ns, 4'000'000U);
  EXPECT_EQ(sum.total_cpu_ns(), 10'000'000U);
}

TEST_F(InstanceMeterTest, SeveralAtOnceShareAndItIsSaid) {
  make(false);
  MeteredRun first, second;
  begin(first);
  use(2ms);
  begin(second);
  use(6ms);
  end(first, 1);
  meter_->settle();
  use(1ms);
  end(second, 0);
  meter_->settle();
  const auto all = records();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].cpu_ns, 5'000'000U);
  EXPECT_EQ(all[1].cpu_ns, 4'000'000U);
  EXPECT_TRUE(all[0].shared);
  EXPECT_TRUE(all[1].shared);
  EXPECT_EQ(sums().total_cpu_ns(), 12'000'000U);
  EXPECT_EQ(sums().busy_ns, 9'000'000U) << "one instance, however many run in it";
}

TEST_F(InstanceMeterTest, ASerialInstanceBooksToThoseThatEnd) {
  make(true);
  MeteredRun first, second, third;
  begin(first);
  begin(second);  // waits in it
  begin(third);
  use(4ms);
  end(first, 2);
  meter_->settle();
  use(6ms);
  end(second, 1);
  end(third, 0);  // both were heard of at once
  meter_->settle();
  const auto all = records();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].cpu_ns, 4'000'000U);
  EXPECT_FALSE(all[0].shared);
  EXPECT_EQ(all[1].cpu_ns, 3'000'000U);
  EXPECT_TRUE(all[1].shared);
  EXPECT_EQ(sums().busy_ns, 10'000'000U);
}

TEST_F(InstanceMeterTest, TheLastWordOfTheKernelIsNotLost) {
  make(false);
  MeteredRun run;
  begin(run);
  use(1ms);
  now_ += 9ms;
  meter_->on_exited(3ms + 1ms + 9ms, now_);
  end(run, 0, Outcome::failed);
  meter_->close();
  const auto all = records();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].cpu_ns, 10'000'000U);
  EXPECT_EQ(all[0].outcome, Outcome::failed);
  EXPECT_EQ(sums().total_cpu_ns(), 13'000'000U);
}

TEST_F(InstanceMeterTest, WhatAProcessSaysOfItselfIsNotBelievedBeyondWhatItCould) {
  make(false);
  MeteredRun run;
  begin(run);
  now_ += 1ms;
  meter_->turn_ended();
  meter_->bring_up_to_date(0, now_);
  meter_->note_children(std::chrono::hours(1000));
  meter_->on_exited(std::chrono::hours(1000), now_);
  end(run, 0);
  meter_->close();
  EXPECT_EQ(sums().total_cpu_ns(), 3'000'000U);
}

TEST_F(InstanceMeterTest, WhatAChildOfOneThatHasJustEndedUsedIsItsOwn) {
  make(false);
  MeteredRun run;
  begin(run);
  now_ += 5ms;
  end(run, 0);
  meter_->note_children(5ms);  // comes behind the answer, in the same turn
  meter_->settle();
  const auto all = records();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].cpu_ns, 5'000'000U);
  EXPECT_EQ(sums().idle_cpu_ns, 0U);
}

TEST_F(InstanceMeterTest, ItsOwnProcessIsAskedOfTheKernel) {
  meter_.emplace(&account_, false, 128U << 20U, 0, now_);
  const auto pid = ::getpid();
  meter_->on_serving(pid, 0ms, 0ms, now_);
  MeteredRun run;
  Invocation invocation(nobody_);
  meter_->begin(run, invocation, 0, pid, now_);
  meter_->turn_ended();
  const auto until = std::chrono::steady_clock::now() + 5ms;
  while (std::chrono::steady_clock::now() < until) {
  }
  now_ += 5ms;
  run.note(Outcome::answered);
  meter_->end(run, 0, pid, now_);
  meter_->settle();
  const auto all = records();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_GT(all[0].cpu_ns, 0U);
  EXPECT_GT(all[0].memory_kib_ms, 0U);
}

}  // namespace
}  // namespace mayfly::pool
