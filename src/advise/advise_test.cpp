// Histories whose answers are known.
#include "advise/advise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "advise/history_test_support.h"

namespace mayfly::advise {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

const Finding& the(const std::vector<Finding>& findings, std::string_view rule) {
  const auto* found = find(findings, rule);
  EXPECT_NE(found, nullptr) << rule;
  static const Finding none;
  return found == nullptr ? none : *found;
}

double figure(const Finding& finding, std::string_view name) {
  for (const auto& [its, value] : finding.figures)
    if (its == name) return value;
  ADD_FAILURE() << finding.rule << " has no figure " << name;
  return NAN;
}

TEST(Advise, ThreeInFlightForADayAreAServiceOfFourProcesses) {
  // Each hour 11160 requests of one second: 3.1 in flight, 0.125 GiB each.
  const auto history = hours_of(24, {.requests = 11'160, .wall_s = 11'160, .cpu_s = 1'116, .gib_s = 1'395});
  auto prices = test_prices();
  prices.request = prices.background_cpu_s = 0;
  prices.kept_gib_s = 0.38 * 3.1 / 4 * prices.gib_s;
  const auto findings = advise(history, prices);
  const auto& finding = the(findings, "steady-load");
  EXPECT_EQ(finding.form, Form::service);
  EXPECT_EQ(finding.summary,
            "3.1 requests always in flight for 24 h: a service of 4 processes would cost 38 % as much");
  EXPECT_NEAR(*finding.cost_now, 24 * 1'395 * prices.gib_s, 1e-9);
  EXPECT_NEAR(*finding.cost_then, 0.38 * *finding.cost_now, 1e-9);
  EXPECT_FALSE(finding.change) << "no key of mayfly.toml makes a service";
}

TEST(Advise, ProcessesOfAServiceTakeSeveralAtOnceButOneCoreEach) {
  auto history = hours_of(24, {.requests = 36'000, .wall_s = 36'000, .cpu_s = 360, .gib_s = 4'500});
  history.configuration.concurrency = 16;
  EXPECT_EQ(figure(the(advise(history, test_prices()), "steady-load"), "processes"), 1);
  for (auto& hour : history.buckets) hour.cpu_s = 2 * 3'600;
  EXPECT_EQ(figure(the(advise(history, test_prices()), "steady-load"), "processes"), 3)
      << "two cores, busy 80 % of the time";
}

TEST(Advise, SaysWhatTheHistoryDoesNotTell) {
  auto history = hours_of(1, quiet_hour());
  history.begin += std::chrono::hours(12);
  history.end = history.begin + std::chrono::minutes(40);
  history.buckets.front().requests = 50;
  const auto finding = advise(history, test_prices()).front();
  EXPECT_EQ(finding.confidence, Confidence::low);
  EXPECT_THAT(finding.unknown, ElementsAre("only 40 minutes of history", "no night in the history",
                                           "no weekend in the history", "only 50 requests in the history"));
}

TEST(Advise, BelievesAWeekMoreThanADay) {
  EXPECT_EQ(advise(hours_of(23, quiet_hour()), test_prices()).front().confidence, Confidence::low);
  const auto day = advise(hours_of(24, quiet_hour()), test_prices()).front();
  EXPECT_EQ(day.confidence, Confidence::medium);
  EXPECT_THAT(day.unknown, ElementsAre("no weekend in the history"));
  const auto week = advise(hours_of(7 * 24, quiet_hour()), test_prices()).front();
  EXPECT_EQ(week.confidence, Confidence::high);
  EXPECT_THAT(week.unknown, ElementsAre());
}

TEST(Advise, KnowsWhereItIsNight) {
  auto history = hours_of(8, quiet_hour());  // from midnight to eight, UTC
  EXPECT_THAT(advise(history, test_prices()).front().unknown,
              testing::Not(Contains("no night in the history")));
  history.utc_offset = std::chrono::hours(9);
  EXPECT_THAT(advise(history, test_prices()).front().unknown, Contains("no night in the history"));
}

TEST(Advise, SaysThatCallsAreNotMetered) {
  auto history = hours_of(7 * 24, quiet_hour());
  history.calls_known = false;
  EXPECT_THAT(advise(history, test_prices()).front().unknown,
              ElementsAre("how often it calls other functions: not metered"));
}

TEST(Advise, WorkThatIsTooLongIsMovedWhereItFits) {
  auto history = hours_of(10, {.requests = 100, .failures = 5, .overdue = 5, .wall_s = 200});
  struct Expected {
    double timeout_s;
    bool unattended;
    Form form;
    const char* change;
  };
  for (const auto& [timeout_s, unattended, form, change] :
       {Expected{10, false, Form::per_request, "timeout = \"30s\""},
        Expected{40, false, Form::per_request, "timeout = \"1m\""}, Expected{60, false, Form::service, ""},
        Expected{10, true, Form::background, "class = \"background\""}}) {
    history.configuration.timeout_s = timeout_s;
    for (auto& hour : history.buckets) hour.unattended = unattended ? 100 : 0;
    const auto findings = advise(history, test_prices());
    const auto& finding = the(findings, "longer-than-deadline");
    EXPECT_EQ(finding.form, form) << timeout_s;
    EXPECT_EQ(finding.change ? finding.change->key + " = " + finding.change->value : "", change);
    EXPECT_THAT(finding.summary, HasSubstr("5 % of 1000 requests"));
    EXPECT_FALSE(finding.cost_then) << "nobody knows how long it would have taken";
  }
}

TEST(Advise, BackgroundIsReckonedByWhatItConsumes) {
  const auto history = hours_of(24, {.requests = 6,
                                     .unattended = 6,
                                     .wall_s = 360,
                                     .cpu_s = 120,
                                     .other_cpu_s = 10,
                                     .gib_s = 45,
                                     .used_gib_s = 20});
  auto prices = test_prices();
  prices.background_gib_s = 1e-6;
  const auto findings = advise(history, prices);
  const auto& finding = the(findings, "background");
  EXPECT_NEAR(*finding.cost_now, 24 * (6 * 2e-7 + 45 * 1.6e-5), 1e-12);
  EXPECT_NEAR(*finding.cost_then, 24 * (130 * 4e-6 + 20 * 1e-6), 1e-12);
  EXPECT_THAT(finding.summary, HasSubstr("nobody waits for 100 % of its 144 requests, which take 60 s each"));
}

TEST(Advise, WarmIsAsMuchAsWasBusy) {
  // Two hours of ten have 100 requests of 90 s: 2.5 at once.
  auto history = hours_of(10, {});
  history.buckets[3] = history.buckets[4] = {
      .length_s = 3'600, .requests = 100, .starts = 5, .wall_s = 9'000, .init_s = 2, .gib_s = 1'125};
  const auto findings = advise(history, test_prices());
  const auto& finding = the(findings, "cold-starts");
  EXPECT_EQ(finding.change->key + " = " + finding.change->value, "min_instances = 3");
  EXPECT_NEAR(*finding.cost_then - *finding.cost_now, (3 * 36'000 - 18'000) * 0.125 * 4e-6, 1e-9);
  history.configuration.max_instances = 2;
  EXPECT_EQ(the(advise(history, test_prices()), "cold-starts").change->value, "2");
}

TEST(Advise, WhatIsKeptForNothingCostsItsIdleTime) {
  auto history = hours_of(100, {});
  history.buckets[50] = {.length_s = 3'600, .requests = 10, .wall_s = 100, .gib_s = 12.5};
  history.configuration.min_instances = 2;
  const auto findings = advise(history, test_prices());
  const auto& finding = the(findings, "kept-for-nothing");
  EXPECT_EQ(finding.form, Form::per_request);
  EXPECT_NEAR(*finding.cost_now - *finding.cost_then, (2 * 360'000 - 100) * 0.125 * 4e-6, 1e-9);
  EXPECT_NEAR(*finding.cost_then, 10 * 2e-7 + 12.5 * 1.6e-5, 1e-9);
  EXPECT_EQ(finding.change->value, "0");
}

TEST(Advise, AChainIsPaidTwiceForItsWaiting) {
  // 100 requests of 100 ms, 80 of which they wait for 40 calls of 2 ms; a callee works for half of that.
  auto history = hours_of(1, {.requests = 100, .wall_s = 10, .cpu_s = 1, .gib_s = 1});
  history.callees = {{.function = "tax",
                      .calls = 2'000,
                      .waited_s = 4,
                      .work_known = true,
                      .wall_s = 2,
                      .cpu_s = 2,
                      .gib_s = 0.2},
                     {.function = "vat",
                      .calls = 2'000,
                      .waited_s = 4,
                      .work_known = true,
                      .wall_s = 2,
                      .cpu_s = 2,
                      .gib_s = 0.2}};
  const auto findings = advise(history, test_prices());
  const auto& finding = the(findings, "chatty-chain");
  EXPECT_EQ(finding.form, Form::merged);
  EXPECT_NEAR(*finding.cost_now, 4'100 * 2e-7 + 1.4 * 1.6e-5, 1e-12);
  EXPECT_NEAR(*finding.cost_then, 100 * 2e-7 + 0.6 * 1.6e-5, 1e-12);
  EXPECT_THAT(finding.summary,
              HasSubstr("80 % of its time it waits for tax, vat: 40 calls a request of 2 ms each"));
}

TEST(Advise, AChainOfWhichTheCallersSideAloneIsKnownSparesItsRequestsAtLeast) {
  auto history = hours_of(1, {.requests = 100, .wall_s = 10, .cpu_s = 1, .gib_s = 1});
  history.callees = {{.function = "other functions", .calls = 4'000, .waited_s = 8}};
  const auto findings = advise(history, test_prices());
  const auto& finding = the(findings, "chatty-chain");
  EXPECT_NEAR(*finding.cost_now - *finding.cost_then, 4'000 * 2e-7, 1e-12);
  EXPECT_THAT(finding.unknown, Contains(HasSubstr("what the functions that it calls use")));
}

TEST(Advise, LoadedDataIsReckonedBeyondTheRuntime) {
  auto history = hours_of(10, {.requests = 100, .starts = 2, .wall_s = 10, .init_s = 3, .gib_s = 5});
  history.template_gib = (48.0 + 512) / 1024;
  const auto findings = advise(history, test_prices());
  const auto& finding = the(findings, "loaded-at-each-start");
  EXPECT_THAT(finding.summary, HasSubstr("20 starts took 1.5 s each to load some 512 MiB"));
  EXPECT_NEAR(*finding.cost_then - *finding.cost_now, 0.5 * 36'000 * 4e-6, 1e-12);
}

TEST(Advise, EmptyAndImpossibleHistoriesHaveAnAnswer) {
  const auto nothing = advise(History{.function = "hello"}, Prices{});
  ASSERT_EQ(nothing.size(), 1U);
  EXPECT_THAT(nothing.front().summary, HasSubstr("nothing can be said"));
  // The clock was put back: the history ends before it begins.
  auto history = hours_of(3, quiet_hour());
  history.end = history.begin - std::chrono::hours(1);
  EXPECT_FALSE(advise(history, test_prices()).empty());
}

TEST(Advise, FiguresOfAnyHistoryAreNumbers) {
  std::mt19937_64 random(7);
  const auto upto = [&](double most) {
    return random() % 3 == 0 ? 0.0 : std::uniform_real_distribution<double>(0, most)(random);
  };
  const auto count = [&](double most) { return static_cast<std::uint64_t>(upto(most)); };
  for (int i = 0; i < 3'000; ++i) {
    auto history = hours_of(1 + static_cast<int>(count(200)), {});
    for (auto& hour : history.buckets) {
      hour.requests = count(10'000);
      hour.failures = hour.overdue = hour.deaths = count(static_cast<double>(hour.requests) / 10);
      hour.unattended = random() % 2 == 0 ? hour.requests : 0;
      hour.starts = count(static_cast<double>(hour.requests));
      hour.wall_s = upto(100'000);
      hour.waiting_s = upto(1'000);
      hour.init_s = upto(1'000);
      hour.cpu_s = upto(10'000);
      hour.gib_s = upto(10'000);
    }
    history.callees = {{.function = "a",
                        .calls = count(1e6),
                        .waited_s = upto(1e4),
                        .work_known = true,
                        .wall_s = upto(1e4)}};
    history.configuration = {.timeout_s = 0.001 + upto(900),
                             .concurrency = 1 + static_cast<int>(count(20)),
                             .min_instances = static_cast<int>(count(5)),
                             .background = random() % 4 == 0,
                             .fresh_memory = random() % 4 == 0};
    if (random() % 2 == 0) history.template_gib = history.instance_gib = upto(2);
    const auto prices = random() % 4 == 0 ? Prices{} : test_prices();
    const auto findings = advise(history, prices);
    ASSERT_FALSE(findings.empty());
    for (const auto& finding : findings) {
      for (const auto& [name, value] : finding.figures) ASSERT_TRUE(std::isfinite(value)) << name;
      ASSERT_TRUE(std::isfinite(finding.cost_now.value_or(0)) &&
                  std::isfinite(finding.cost_then.value_or(0)));
      ASSERT_GE(finding.cost_now.value_or(0), -1e-9) << finding.rule;
      ASSERT_GE(finding.cost_then.value_or(0), -1e-9) << finding.rule;
      ASSERT_FALSE(finding.reason.empty());
      for (const char* wrong : {"inf", "nan"})
        ASSERT_FALSE((" " + finding.summary).contains(std::string(" ") + wrong + " ")) << finding.summary;
    }
  }
}

}  // namespace
}  // namespace mayfly::advise
