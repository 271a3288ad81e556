#include "meter/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temp_folder.h"

namespace mayfly::meter {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kDay = 24 * 3'600'000;
constexpr std::int64_t kToday = 20'000 * kDay;  // 2024-10-04

class BudgetTest : public testing::Test {
 protected:
  void make(Budget budget) {
    book_.emplace(std::vector{std::move(budget)}, Prices{"EUR", 1, 0, 0, 0, 0, 0},
                  [this](const BudgetView& view) {
                    told_.push_back(view.budget.subject() + " " +
                                    std::string(kBudgetStates.at(static_cast<std::size_t>(view.state))));
                  });
  }
  UsageBatch batch(std::int64_t now, const std::string& function, const std::string& tenant,
                   std::uint64_t invocations) {
    UsageBatch one;
    one.began_ms = now;
    Usage usage;
    usage.invocations = invocations;
    one.sums.push_back({{function, 1, tenant, InvocationClass::interactive}, usage});
    return one;
  }
  void spend(std::uint64_t amount, std::int64_t now = kToday, const std::string& function = "resize",
             const std::string& tenant = "acme") {
    const auto one = batch(now, function, tenant, amount);
    ASSERT_TRUE(tables_->add(std::span(&one, 1)));
    ASSERT_TRUE(book_->update(*tables_, now, std::span(&one, 1)));
  }
  BudgetView view() { return book_->views().front(); }

  TempFolder folder_;
  Result<UsageTables> tables_ = UsageTables::open(folder_.path() / "usage.db");
  std::optional<BudgetBook> book_;
  std::vector<std::string> told_;
};

TEST_F(BudgetTest, IsToldOnceWhenItIsNearlySpentAndOnceWhenItIs) {
  make({.tenant = "acme", .limit = 10, .at_limit = AtLimit::stop});
  const auto gate = book_->gates_of("resize", "acme").front();
  spend(7);
  EXPECT_THAT(told_, ElementsAre());
  spend(1);
  spend(1);
  EXPECT_THAT(told_, ElementsAre("tenant acme warned"));
  EXPECT_FALSE(gate->limits());
  spend(1);
  spend(5);
  EXPECT_THAT(told_, ElementsAre("tenant acme warned", "tenant acme spent"));
  EXPECT_TRUE(gate->limits());
  EXPECT_DOUBLE_EQ(view().spent, 15);
}

TEST_F(BudgetTest, CoversWhatItNames) {
  make({.function = "resize", .limit = 10});
  spend(4);
  spend(100, kToday, "other");
  EXPECT_DOUBLE_EQ(view().spent, 4);
  EXPECT_TRUE(book_->gates_of("other", "acme").empty());
  make({.tenant = "acme", .limit = 1'000});
  ASSERT_TRUE(book_->update(*tables_, kToday, {}));
  EXPECT_DOUBLE_EQ(view().spent, 104) << "a book that is new reads what was before";
  spend(1, kToday, "resize", "");
  EXPECT_DOUBLE_EQ(view().spent, 104);
}

TEST_F(BudgetTest, ANewPeriodBeginsWithNothingAndAClockThatIsPutBackFindsWhatWas) {
  make({.function = "resize", .limit = 10, .monthly = false, .at_limit = AtLimit::stop});
  const auto gate = book_->gates_of("resize", "").front();
  spend(12);
  EXPECT_TRUE(gate->limits());
  ASSERT_TRUE(book_->update(*tables_, kToday + kDay, {}));
  EXPECT_FALSE(gate->limits());
  EXPECT_DOUBLE_EQ(view().spent, 0);
  spend(3, kToday + kDay);
  ASSERT_TRUE(book_->update(*tables_, kToday + 100, {}));
  EXPECT_DOUBLE_EQ(view().spent, 12);
  EXPECT_TRUE(gate->limits());
  ASSERT_TRUE(book_->update(*tables_, kToday + kDay + 100, {}));
  EXPECT_DOUBLE_EQ(view().spent, 3);
}

TEST(BudgetPeriod, IsADayOrAMonthOfTheCalendar) {
  const std::int64_t first = 19'997 * kDay;  // 2024-10-01
  EXPECT_EQ(period_of(true, kToday + 5), std::pair(first, first + 31 * kDay));
  EXPECT_EQ(period_of(true, first), std::pair(first, first + 31 * kDay));
  EXPECT_EQ(period_of(true, first - 1), std::pair(first - 30 * kDay, first));
  EXPECT_EQ(period_of(false, kToday + 5), std::pair(kToday, kToday + kDay));
  EXPECT_EQ(period_of(true, -5), std::pair(std::int64_t{0}, 31 * kDay));
}

}  // namespace
}  // namespace mayfly::meter
