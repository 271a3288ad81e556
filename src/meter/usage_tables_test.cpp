#include "meter/usage_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temp_folder.h"

namespace mayfly::meter {
namespace {

using testing::SizeIs;

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kToday = 20'000 * kDay;

UsageRecord record(Outcome outcome, std::uint64_t cpu_ns) {
  UsageRecord one;
  one.invocation.fill('a');
  one.outcome = outcome;
  one.cpu_ns = cpu_ns;
  one.wall_ns = 2 * cpu_ns;
  return one;
}

UsageBatch batch(std::int64_t began_ms, const UsageKey& key, const std::vector<UsageRecord>& records) {
  UsageBatch made;
  made.began_ms = began_ms;
  Usage sum;
  for (const auto& one : records) {
    sum.add(one);
    made.singles.push_back({key, one});
  }
  made.sums.push_back({key, sum});
  return made;
}

class UsageTablesTest : public testing::Test {
 protected:
  void add(const UsageBatch& one) {
    const auto added = tables_->add(std::span(&one, 1));
    ASSERT_TRUE(added) << added.error().message;
  }
  std::vector<UsageRow> sums(const UsageQuery& query) {
    auto rows = tables_->sums(query);
    EXPECT_TRUE(rows) << rows.error().message;
    return rows ? *rows : std::vector<UsageRow>{};
  }
  TempFolder folder_;
  Result<UsageTables> tables_ = UsageTables::open(folder_.path() / "usage.db");
};

TEST_F(UsageTablesTest, SumsAreKeptByMinuteHourAndDay) {
  const UsageKey key{"hello", 1, "acme", InvocationClass::interactive};
  add(batch(kToday + 30'000, key, {record(Outcome::answered, 5), record(Outcome::failed, 7)}));
  add(batch(kToday + 59'999, key, {record(Outcome::answered, 1)}));
  add(batch(kToday + kMinute, key, {record(Outcome::answered, 1)}));
  add(batch(kToday + kHour, key, {record(Outcome::timed_out, 2)}));
  UsageQuery query{.resolution = Resolution::minute, .by_time = true};
  auto rows = sums(query);
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows[0].start_ms, kToday);
  EXPECT_EQ(rows[0].usage.invocations, 3U);
  EXPECT_EQ(rows[0].usage.failed, 1U);
  EXPECT_EQ(rows[0].usage.cpu_ns, 13U);
  EXPECT_EQ(rows[0].usage.wall_ns, 26U);
  EXPECT_EQ(rows[1].start_ms, kToday + kMinute);
  query.resolution = Resolution::hour;
  rows = sums(query);
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].usage.invocations, 4U);
  query.resolution = Resolution::day;
  rows = sums(query);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].usage.invocations, 5U);
  EXPECT_EQ(rows[0].usage.timed_out, 1U);
}

TEST_F(UsageTablesTest, WhatIsNotKeptApartIsAddedUp) {
  add(batch(kToday, {"a", 1, "x", InvocationClass::interactive}, {record(Outcome::answered, 1)}));
  add(batch(kToday, {"a", 2, "y", InvocationClass::background}, {record(Outcome::answered, 2)}));
  add(batch(kToday, {"b", 1, "x", InvocationClass::interactive}, {record(Outcome::answered, 4)}));
  auto rows = sums({});
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].key, (UsageKey{"a", 0, "", InvocationClass::interactive}));
  EXPECT_EQ(rows[0].usage.cpu_ns, 3U);
  rows = sums({.by_function = false, .by_tenant = true});
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].key.tenant, "x");
  EXPECT_EQ(rows[0].usage.cpu_ns, 5U);
  rows = sums({.by_function = false, .by_class = true});
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[1].key.invocation_class, InvocationClass::background);
  EXPECT_THAT(sums({.by_version = true, .by_tenant = true, .by_class = true}), SizeIs(3));
  rows = sums({.by_function = false});
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].usage.cpu_ns, 7U);
}

TEST_F(UsageTablesTest, OnlyWhatIsAskedForIsAddedUp) {
  add(batch(kToday, {"a", 1, "x", InvocationClass::interactive}, {record(Outcome::answered, 1)}));
  add(batch(kToday, {"a", 1, "x", InvocationClass::background}, {record(Outcome::answered, 2)}));
  add(batch(kToday, {"b", 1, "", InvocationClass::interactive}, {record(Outcome::answered, 4)}));
  add(batch(kToday + kHour, {"b", 1, "", InvocationClass::interactive}, {record(Outcome::answered, 8)}));
  const auto cpu = [&](UsageQuery query) {
    query.by_function = false;
    const auto rows = sums(query);
    return rows.empty() ? 0 : rows[0].usage.cpu_ns;
  };
  EXPECT_EQ(cpu({.function = "a"}), 3U);
  EXPECT_EQ(cpu({.tenant = "x"}), 3U);
  EXPECT_EQ(cpu({.tenant = ""}), 12U);
  EXPECT_EQ(cpu({.invocation_class = InvocationClass::background}), 2U);
  EXPECT_EQ(cpu({.from_ms = kToday + 1}), 8U);
  EXPECT_EQ(cpu({.to_ms = kToday + kHour}), 7U);
  EXPECT_THAT(sums({.function = "nobody", .by_function = false}), SizeIs(0));
  const auto rows = sums({.function = "b"});
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].start_ms, kToday);
  EXPECT_EQ(rows[0].last_ms, kToday + kHour);
}

TEST_F(UsageTablesTest, APeakIsNoSum) {
  for (const std::uint64_t peak : {3, 9, 4}) {
    UsageBatch one;
    one.began_ms = kToday;
    Usage usage;
    usage.peak = peak;
    one.sums.push_back({{"a", 1, "", InvocationClass::interactive}, usage});
    add(one);
  }
  EXPECT_EQ(sums({})[0].usage.peak, 9U);
}

TEST_F(UsageTablesTest, ATimeBefore1970IsTheFirstMinute) {
  add(batch(-5 * kDay, {"a", 1, "", InvocationClass::interactive}, {record(Outcome::answered, 1)}));
  const auto rows = sums({.resolution = Resolution::minute, .by_time = true});
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].start_ms, 0);
}

TEST_F(UsageTablesTest, SumsThatAreTooLargeStayAtTheMost) {
  UsageBatch one;
  Usage usage;
  usage.wall_ns = UINT64_MAX;
  usage.cpu_ns = INT64_MAX;
  one.sums.push_back({{"a", 1, "", InvocationClass::interactive}, usage});
  one.sums.push_back({{"a", 2, "", InvocationClass::interactive}, usage});
  add(one);
  add(one);
  const auto rows = sums({});
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows[0].usage.wall_ns, static_cast<std::uint64_t>(INT64_MAX));
  EXPECT_EQ(rows[0].usage.cpu_ns, static_cast<std::uint64_t>(INT64_MAX));
}

TEST_F(UsageTablesTest, RecordsAreReadTheNewestFirst) {
  auto shared = record(Outcome::cancelled, 9);
  shared.shared = true;
  shared.attempt = 3;
  shared.started_ms = kToday;
  shared.bytes_out = 77;
  add(batch(kToday, {"a", 1, "x", InvocationClass::background}, {record(Outcome::answered, 1), shared}));
  add(batch(kToday, {"b", 2, "", InvocationClass::interactive}, {record(Outcome::answered, 2)}));
  const auto all = tables_->records({});
  ASSERT_TRUE(all);
  ASSERT_THAT(*all, SizeIs(3));
  EXPECT_EQ((*all)[0].key.function, "b");
  const auto one = tables_->records({.function = "a", .most = 1});
  ASSERT_TRUE(one);
  ASSERT_THAT(*one, SizeIs(1));
  const auto& [key, read] = one->front();
  EXPECT_EQ(key, (UsageKey{"a", 1, "x", InvocationClass::background}));
  EXPECT_EQ(std::string(read.invocation.data(), 32), std::string(32, 'a'));
  EXPECT_EQ(read.outcome, Outcome::cancelled);
  EXPECT_TRUE(read.shared);
  EXPECT_EQ(read.attempt, 3U);
  EXPECT_EQ(read.started_ms, kToday);
  EXPECT_EQ(read.cpu_ns, 9U);
  EXPECT_EQ(read.wall_ns, 18U);
  EXPECT_EQ(read.bytes_out, 77U);
}

TEST_F(UsageTablesTest, WhatIsOldGoesTheFinestFirst) {
  const UsageKey key{"a", 1, "", InvocationClass::interactive};
  add(batch(kToday, key, {record(Outcome::answered, 1)}));
  ASSERT_TRUE(tables_->expire(kToday + 4 * kDay));
  EXPECT_THAT(sums({.resolution = Resolution::minute}), SizeIs(0));
  EXPECT_THAT(sums({.resolution = Resolution::hour}), SizeIs(1));
  ASSERT_TRUE(tables_->expire(kToday + 63 * kDay));
  EXPECT_THAT(sums({.resolution = Resolution::hour}), SizeIs(0));
  EXPECT_THAT(sums({.resolution = Resolution::day}), SizeIs(1));
}

TEST_F(UsageTablesTest, AFileThatIsOpenedAgainHasAllOfIt) {
  add(batch(kToday, {"a", 1, "", InvocationClass::interactive}, {record(Outcome::answered, 1)}));
  tables_ = UsageTables::open(folder_.path() / "usage.db");
  ASSERT_TRUE(tables_);
  EXPECT_THAT(sums({}), SizeIs(1));
}

}  // namespace
}  // namespace mayfly::meter
