#include "meter/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/standing_clock_test_support.h"
#include "base/temp_folder.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::meter {
namespace {

using namespace std::chrono_literals;
using store::FaultyVfs;

class LedgerTest : public testing::Test {
 protected:
  void open(const std::string& vfs = {}) {
    LedgerOptions options;
    options.file = folder_.path() / "usage.db";
    options.vfs = vfs;
    options.clock = &clock_;
    options.on_trouble = [this](const Error* error) {
      if (error != nullptr)
        trouble_.set_value();
      else
        over_.set_value();
    };
    auto opened = Ledger::open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  UsageBatch batch(std::uint64_t invocations = 1) {
    UsageBatch made;
    made.began_ms = to_millis(clock_.wall());
    Usage usage;
    usage.invocations = invocations;
    made.sums.push_back({{"a", 1, "", InvocationClass::interactive}, usage});
    return made;
  }
  void add(UsageBatch one) { ASSERT_TRUE(ledger_->take(one)); }
  std::vector<UsageRow> sums(UsageQuery query = {}) {
    std::promise<Result<std::vector<UsageRow>>> answer;
    ledger_->sums(std::move(query), [&](auto rows) { answer.set_value(std::move(rows)); });
    auto rows = answer.get_future().get();
    EXPECT_TRUE(rows) << rows.error().message;
    return rows ? *rows : std::vector<UsageRow>{};
  }
  std::uint64_t invocations() {
    const auto rows = sums();
    return rows.empty() ? 0 : rows[0].usage.invocations;
  }

  TempFolder folder_;
  StandingClock clock_;
  std::promise<void> trouble_;
  std::promise<void> over_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, AReadSeesWhatWasTakenBeforeIt) {
  open();
  for (int i = 0; i < 40; ++i) add(batch());
  EXPECT_EQ(invocations(), 40U);
}

TEST_F(LedgerTest, WritesAllAtItsEnd) {
  open();
  for (int i = 0; i < 50; ++i) add(batch());
  ledger_->take_last(batch(7));
  ledger_.reset();
  open();
  EXPECT_EQ(invocations(), 57U);
}

TEST_F(LedgerTest, ADiskThatIsFullLosesNothingAndIsBounded) {
  FaultyVfs disk;
  open(FaultyVfs::kName);
  disk.fail_writes_after(0);
  add(batch());
  ASSERT_EQ(trouble_.get_future().wait_for(20s), std::future_status::ready);
  std::uint64_t taken = 1;
  for (auto one = batch(); ledger_->take(one); one = batch()) {
    ++taken;
    ASSERT_LE(taken, Ledger::kMostBatches);
  }
  auto refused = batch();
  EXPECT_FALSE(ledger_->take(refused));
  EXPECT_EQ(refused.sums.size(), 1U) << "it is left as it was";
  disk.fail_writes_after(-1);
  ASSERT_EQ(over_.get_future().wait_for(20s), std::future_status::ready);
  EXPECT_EQ(invocations(), taken);
  ledger_.reset();  // before its disk
}

TEST_F(LedgerTest, AClockThatJumpsBackLosesNothingAndDoublesNothing) {
  open();
  for (int i = 0; i < 5; ++i) {
    add(batch());
    clock_.jump(i % 2 == 0 ? -50h : 20h);
    clock_.advance(61s);
  }
  EXPECT_EQ(invocations(), 5U);
  EXPECT_GE(sums({.resolution = Resolution::minute, .by_time = true}).size(), 4U);
}

TEST_F(LedgerTest, AClockThatJumpsForwardMakesNothingOld) {
  open();
  add(batch());
  EXPECT_EQ(invocations(), 1U);
  clock_.jump(24h * 365 * 20);
  clock_.advance(11min);  // it would look for what is old now
  EXPECT_EQ(invocations(), 1U);
  EXPECT_EQ(invocations(), 1U);
  clock_.jump(-24h * 365 * 20);
  clock_.advance(11min);
  EXPECT_EQ(invocations(), 1U);
  clock_.advance(24h * 365 * 20);  // so long has passed indeed
  // What is old is looked for after an answer.
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!sums({.resolution = Resolution::day}).empty() && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(sums({.resolution = Resolution::day}).size(), 0U);
}

}  // namespace
}  // namespace mayfly::meter
