#include "advise/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "advise/history_test_support.h"

namespace mayfly::advise {
namespace {

History full_history() {
  auto history = hours_of(2, {.requests = 7,
                              .failures = 3,
                              .overdue = 1,
                              .deaths = 2,
                              .unattended = 4,
                              .starts = 5,
                              .wall_s = 6.5,
                              .waiting_s = 0.25,
                              .init_s = 0.5,
                              .cpu_s = 1.5,
                              .other_cpu_s = 0.125,
                              .gib_s = 0.75,
                              .used_gib_s = 0.5,
                              .bytes_in = 10,
                              .bytes_out = 20});
  history.utc_offset = std::chrono::hours(2);
  history.callees = {{.function = "tax",
                      .calls = 1,
                      .waited_s = 2,
                      .work_known = true,
                      .wall_s = 3,
                      .cpu_s = 4,
                      .gib_s = 5}};
  history.calls_known = history.shared = true;
  history.instance_gib = 0.0625;
  history.template_gib = 0.5;
  history.configuration = {.timeout_s = 2,
                           .memory_gib = 1,
                           .concurrency = 16,
                           .min_instances = 1,
                           .max_instances = 3,
                           .background = true,
                           .fresh_memory = true,
                           .datasets = true};
  return history;
}

TEST(AdviseJson, HistoriesComeBack) {
  const auto json = to_json(full_history());
  EXPECT_EQ(to_json(history_from_json(json)), json);
  EXPECT_EQ(json["buckets"][1]["start"], json["buckets"][0]["start"].get<int>() + 3'600);
  EXPECT_EQ(json["callees"][0]["waited_s"], 2);
  EXPECT_EQ(json["configuration"]["concurrency"], 16);
}

TEST(AdviseJson, PricesComeBack) {
  const auto json = to_json(test_prices());
  EXPECT_EQ(to_json(prices_from_json(json)), json);
  EXPECT_EQ(json["currency"], "EUR");
}

TEST(AdviseJson, AFindingHasWhatIsKnown) {
  const auto json = to_json(Finding{.rule = "background",
                                    .form = Form::background,
                                    .summary = "s",
                                    .reason = "r",
                                    .figures = {{"wall_mean_s", 1.5}},
                                    .cost_now = 2,
                                    .unknown = {"u"},
                                    .change = Change{"class", "\"background\""}});
  EXPECT_EQ(json, nlohmann::json::parse(R"({"rule": "background", "form": "background", "summary": "s",
    "reason": "r", "figures": {"wall_mean_s": 1.5}, "confidence": "low", "unknown": ["u"], "cost_now": 2.0,
    "change": {"key": "class", "value": "\"background\""}})"));
}

}  // namespace
}  // namespace mayfly::advise
