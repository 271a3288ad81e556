#include "admin/advice_history.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace mayfly::admin {
namespace {

using namespace std::chrono_literals;
using meter::Resolution;
using nlohmann::json;

/// 2030-01-07, a Monday, 12:00 UTC.
constexpr std::chrono::sys_seconds kNoon{std::chrono::sys_days{std::chrono::January / 7 / 2030} + 12h};

struct AdviceHistory : testing::Test {
  void add(std::uint32_t number, WallTime created,
           const std::function<void(registry::FunctionConfig&)>& set = {}) {
    auto version = std::make_shared<registry::Version>();
    version->function = function.name = "hello";
    version->number = number;
    version->created = created;
    if (set) set(version->config);
    function.versions[number] = version;
    function.traffic.weights = {{number, 1}};
  }
  static meter::UsageRow row(std::chrono::sys_seconds start, std::uint32_t version, meter::Usage usage) {
    meter::UsageRow one;
    one.start_ms = to_millis(start);
    one.key = {"hello", version};
    one.usage = usage;
    return one;
  }
  [[nodiscard]] AdviceSource source() const { return {function, live, now, delivered}; }
  [[nodiscard]] advise::History history(const std::vector<meter::UsageRow>& rows,
                                        Resolution resolution = Resolution::hour) const {
    return advice_history(source(), rows, resolution);
  }

  registry::Function function;
  json live = json::object();
  WallTime now = kNoon;
  std::uint64_t delivered = 0;
};

TEST_F(AdviceHistory, CountsFromTheFirstVersionWithTheSameConfiguration) {
  add(1, kNoon - 50h);
  add(2, kNoon - 40h, [](auto& config) { config.min_instances = 1; });
  add(3, kNoon - 30h);
  add(4, kNoon - 20h, [](auto& config) { config.min_instances = 1; });
  EXPECT_EQ(advice_begin(source()), WallTime(kNoon - 40h));
  const auto made =
      history({row(kNoon - 40h, 2, {.invocations = 1}), row(kNoon - 30h, 3, {.invocations = 10}),
               row(kNoon - 20h, 4, {.invocations = 100}), row(kNoon - 50h, 2, {.invocations = 1'000})});
  EXPECT_EQ(made.begin, kNoon - 40h);
  EXPECT_EQ(made.end, kNoon);
  ASSERT_EQ(made.buckets.size(), 2U);
  EXPECT_EQ(made.buckets[0].requests + made.buckets[1].requests, 101U);
  EXPECT_EQ(made.configuration.min_instances, 1);
}

TEST_F(AdviceHistory, IsTwoWeeksAtMost) {
  add(1, kNoon - 24h * 100);
  EXPECT_EQ(advice_begin(source()), WallTime(kNoon - 24h * 14));
}

TEST_F(AdviceHistory, ItsFirstAndLastStretchesAreAsLongAsTheyWere) {
  add(1, kNoon - 90min);
  now = kNoon + 15min;
  const auto made = history({row(kNoon - 2h, 1, {.invocations = 1}), row(kNoon - 1h, 1, {.invocations = 1}),
                             row(kNoon, 1, {.invocations = 1}), row(kNoon + 1h, 1, {.invocations = 1})});
  ASSERT_EQ(made.buckets.size(), 3U);
  EXPECT_EQ(made.buckets[0].start, kNoon - 90min);
  EXPECT_EQ(made.buckets[0].length_s, 1'800);
  EXPECT_EQ(made.buckets[1].length_s, 3'600);
  EXPECT_EQ(made.buckets[2].length_s, 900);
}

TEST_F(AdviceHistory, FiguresHaveTheirUnits) {
  add(1, kNoon - 1h);
  meter::Usage usage;
  usage.invocations = 10;
  usage.rejected = 2;
  usage.failed = 3;
  usage.timed_out = 2;
  usage.starts = 5;
  usage.wall_ns = 6'000'000'000;
  usage.waiting_ns = 500'000'000;
  usage.init_ns = 250'000'000;
  usage.cpu_ns = 2'000'000'000;
  usage.init_cpu_ns = 100'000'000;
  usage.idle_cpu_ns = 25'000'000;
  usage.reserved_kib_ms = 1024ULL * 1024 * 1'500;
  usage.memory_kib_ms = 1024ULL * 1024 * 500;
  usage.bytes_in = 7;
  usage.bytes_out = 8;
  auto background = row(kNoon - 1h, 1, usage);
  background.key.invocation_class = meter::InvocationClass::background;
  const auto made = history({row(kNoon - 1h, 1, usage), background});
  ASSERT_EQ(made.buckets.size(), 1U);
  const auto& bucket = made.buckets[0];
  EXPECT_EQ(bucket.requests, 16U) << "what was rejected was none";
  EXPECT_EQ(bucket.failures, 10U);
  EXPECT_EQ(bucket.overdue, 4U);
  EXPECT_EQ(bucket.unattended, 8U) << "nobody waits in the background";
  EXPECT_EQ(bucket.starts, 10U);
  EXPECT_DOUBLE_EQ(bucket.wall_s, 12);
  EXPECT_DOUBLE_EQ(bucket.waiting_s, 1);
  EXPECT_DOUBLE_EQ(bucket.init_s, 0.5);
  EXPECT_DOUBLE_EQ(bucket.cpu_s, 4);
  EXPECT_DOUBLE_EQ(bucket.other_cpu_s, 0.25);
  EXPECT_DOUBLE_EQ(bucket.gib_s, 3);
  EXPECT_DOUBLE_EQ(bucket.used_gib_s, 1);
  EXPECT_EQ(bucket.bytes_in, 14U);
}

TEST_F(AdviceHistory, EventsAreTheNewestRequests) {
  add(1, kNoon - 3h);
  const auto unattended = [&](std::uint64_t events) {
    delivered = events;
    std::vector<std::uint64_t> counts;
    for (const auto& bucket :
         history({row(kNoon - 3h, 1, {.invocations = 10}), row(kNoon - 2h, 1, {.invocations = 10})}).buckets)
      counts.push_back(bucket.unattended);
    return counts;
  };
  EXPECT_EQ(unattended(0), (std::vector<std::uint64_t>{0, 0}));
  EXPECT_EQ(unattended(13), (std::vector<std::uint64_t>{3, 10}));
  EXPECT_EQ(unattended(100), (std::vector<std::uint64_t>{10, 10}))
      << "more events than requests: one has many";
}

TEST_F(AdviceHistory, EventsThatShareAnInvocationAreOneAtLeast) {
  events::QueueView one, many;
  one.figures.succeeded = 5;
  one.figures.failed = 2;
  one.figures.dead = 1;
  many.figures.succeeded = 25;
  many.policy.batch = 10;
  EXPECT_EQ(invocations_of_events({one, many}), 10U);
}

TEST_F(AdviceHistory, HowManyAtOnceIsSeenWhereItIsNotSet) {
  add(1, kNoon - 1h);
  EXPECT_EQ(history({row(kNoon - 1h, 1, {.invocations = 1, .wall_ns = 52, .busy_ns = 10})})
                .configuration.concurrency,
            5);
  add(1, kNoon - 1h, [](auto& config) { config.concurrency = 3; });
  EXPECT_EQ(history({row(kNoon - 1h, 1, {.wall_ns = 52, .busy_ns = 10})}).configuration.concurrency, 3);
  add(1, kNoon - 1h, [](auto& config) { config.isolation = registry::Isolation::request; });
  EXPECT_EQ(history({row(kNoon - 1h, 1, {.wall_ns = 52, .busy_ns = 10})}).configuration.concurrency, 1);
  EXPECT_EQ(history({}).configuration.concurrency, 1);
}

TEST_F(AdviceHistory, MemoryIsThatOfTheMainVersion) {
  add(7, kNoon - 1h);
  live = json::parse(R"({"templates": [
    {"version": 6, "memory_bytes": 1, "instances": {"count": 1, "memory_bytes": 1}},
    {"version": 7, "memory_bytes": 1073741824, "instances": {"count": 2, "memory_bytes": 536870912}}]})");
  EXPECT_DOUBLE_EQ(history({}).template_gib.value(), 1);
  EXPECT_DOUBLE_EQ(history({}).instance_gib.value(), 1.5);
  live = json::object();
  EXPECT_FALSE(history({}).instance_gib);
}

TEST_F(AdviceHistory, AClockThatWasPutBackMakesAShortHistory) {
  add(1, kNoon + 1h);
  const auto made = history({row(kNoon, 1, {.invocations = 5})});
  EXPECT_EQ(made.begin, kNoon);
  EXPECT_GT(made.end, made.begin);
}

}  // namespace
}  // namespace mayfly::admin
