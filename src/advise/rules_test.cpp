// Each rule fires where it should, and no more when any one of its figures is a little short of its
// threshold.
#include <gtest/gtest.h>

#include <functional>

#include "advise/history_test_support.h"

namespace mayfly::advise {
namespace {

struct Weaker {
  const char* what;
  std::function<void(History&, Prices&)> change;
};

struct Edge {
  const char* rule;
  History fires;
  std::vector<Weaker> weaker;
};

void each(History& history, const std::function<void(Bucket&)>& change) {
  for (auto& bucket : history.buckets) change(bucket);
}

/// A weaker case that changes every hour alike.
Weaker hourly(const char* what, void (*change)(Bucket&)) {
  return {what, [change](History& history, Prices&) { each(history, change); }};
}

Weaker configured(const char* what, void (*change)(Configuration&)) {
  return {what, [change](History& history, Prices&) { change(history.configuration); }};
}

Edge steady() {
  // One in flight: 3600 s of work in 3600 s. Two processes, as one would be busy all the time.
  return {"steady-load",
          hours_of(24, {.requests = 36'000, .wall_s = 3'600, .cpu_s = 900, .gib_s = 450}),
          {hourly("less than one in flight", [](Bucket& hour) { hour.wall_s = 3'599; }),
           {"three hours of 24 have less than half of the mean",
            [](History& history, Prices&) {
              for (int i = 0; i < 3; ++i) history.buckets[static_cast<std::size_t>(i)].wall_s = 1'866;
              for (std::size_t i = 3; i < 24; ++i) history.buckets[i].wall_s = 4'000;
            }},
           {"a ninth of the time has no buckets",
            [](History& history, Prices&) {
              history.end += std::chrono::hours(3);
              each(history, [](Bucket& hour) { hour.wall_s = 4'500; });
            }},
           {"a service costs more than 70 %", [](History&, Prices& prices) { prices.kept_gib_s *= 3; }},
           {"the hundredth of the time that is busiest needs six processes",
            [](History& history, Prices&) { history.buckets[5].wall_s = 6 * 3'600; }},
           {"five minutes of history", [](History& history, Prices&) {
              history = hours_of(1, {.requests = 3'000, .wall_s = 300, .cpu_s = 75, .gib_s = 37.5});
              history.end = history.begin + std::chrono::minutes(5);
              history.buckets.front().length_s = 300;
            }}}};
}

Edge overdue() {
  return {"longer-than-deadline",
          hours_of(10, {.requests = 100, .failures = 1, .overdue = 1, .wall_s = 500, .waiting_s = 400}),
          {hourly("less than 1 %", [](Bucket& hour) { hour.requests = 101; }),
           hourly("half of the deadline is waiting", [](Bucket& hour) { hour.waiting_s = 500; }),
           {"four of them", [](History& history, Prices&) {
              for (std::size_t i = 0; i < 6; ++i) history.buckets[i] = {.length_s = 3'600};
            }}}};
}

Edge in_background() {
  return {"background",
          hours_of(10, {.requests = 2, .unattended = 2, .wall_s = 2, .cpu_s = 0.9, .gib_s = 0.25}),
          {{"more than one in twenty waits",
            [](History& history, Prices&) {
              history.buckets[0].unattended = 1;
              history.buckets[1].unattended = 1;
            }},
           hourly("less than a second", [](Bucket& hour) { hour.wall_s = 1.99; }),
           hourly("it costs more than 90 %", [](Bucket& hour) { hour.cpu_s = 1; }),
           {"19 requests", [](History& history,
                              Prices&) { history.buckets[0].requests = history.buckets[0].unattended = 1; }},
           configured("it is in the background", [](Configuration& c) { c.background = true; })}};
}

Edge loaded() {
  auto history = hours_of(5, {.requests = 100, .starts = 1, .wall_s = 5, .init_s = 0.25, .gib_s = 1});
  history.template_gib = 112.0 / 1024;
  return {"loaded-at-each-start",
          history,
          {hourly("less than a quarter of a second", [](Bucket& hour) { hour.init_s = 0.249; }),
           {"four starts",
            [](History& h, Prices&) {
              h.buckets[0].starts = 0;
              h.buckets[0].init_s = 0;
            }},
           {"less than 64 MiB of data", [](History& h, Prices&) { h.template_gib = 111.0 / 1024; }},
           {"its memory is not known", [](History& h, Prices&) { h.template_gib.reset(); }},
           configured("it has datasets", [](Configuration& c) { c.datasets = true; })}};
}

Edge chain() {
  auto history = hours_of(10, {.requests = 10, .wall_s = 0.3, .cpu_s = 0.1, .gib_s = 0.0375});
  history.callees = {{.function = "tax",
                      .calls = 300,
                      .waited_s = 1.5,
                      .work_known = true,
                      .wall_s = 0.3,
                      .cpu_s = 0.3,
                      .gib_s = 0.03},
                     {.function = "slow", .calls = 100, .waited_s = 1, .work_known = true, .wall_s = 1}};
  return {"chatty-chain",
          history,
          {{"less than three calls a request",
            [](History& h, Prices&) {
              h.callees[0].calls = 299;
              h.callees[0].waited_s = 1.494;
              each(h, [](Bucket& hour) { hour.wall_s = 0.2988; });
            }},
           {"a call takes more than 5 ms", [](History& h, Prices&) { h.callees[0].waited_s = 1.51; }},
           {"less than half of the time", [](History& h, Prices&) { h.callees[0].waited_s = 1.49; }},
           {"19 requests", [](History& h, Prices&) {
              each(h, [](Bucket& hour) { hour.requests = 0; });
              h.buckets[0].requests = 19;
            }}}};
}

Edge cold() {
  return {"cold-starts",
          hours_of(10, {.requests = 50, .starts = 1, .wall_s = 5, .init_s = 0.1 + 1e-9, .gib_s = 0.5}),
          {hourly("less than 1 % of the requests", [](Bucket& hour) { hour.requests = 101; }),
           hourly("less than 100 ms", [](Bucket& hour) { hour.init_s = 0.099; }),
           {"four starts",
            [](History& h, Prices&) {
              for (std::size_t i = 0; i < 6; ++i) h.buckets[i].starts = 0;
              each(h, [](Bucket& hour) { hour.requests = 10; });
            }},
           {"too rare: less than one request an hour",
            [](History& h, Prices&) { h.end = h.begin + std::chrono::hours(501); }},
           configured("as many are kept warm", [](Configuration& c) { c.min_instances = 1; }),
           configured("nobody waits for background work", [](Configuration& c) { c.background = true; })}};
}

Edge kept() {
  auto history = hours_of(100, {});
  for (std::size_t i = 0; i < 99; ++i) history.buckets[i] = {.length_s = 3'600, .requests = 1, .wall_s = 30};
  history.configuration.min_instances = 1;
  return {"kept-for-nothing",
          history,
          {{"a request an hour", [](History& h, Prices&) { h.buckets[99].requests = 1; }},
           {"busy 1 % of the time", [](History& h, Prices&) { h.buckets[0].wall_s += 700; }},
           configured("nothing is kept", [](Configuration& c) { c.min_instances = 0; })}};
}

Edge kept_with_short_starts() {
  auto history = hours_of(5, {.requests = 100, .starts = 1, .wall_s = 5, .init_s = 0.019});
  history.configuration.min_instances = 1;
  return {"kept-for-nothing",
          history,
          {hourly("a start takes 20 ms", [](Bucket& hour) { hour.init_s = 0.02; }),
           {"four starts", [](History& h, Prices&) { h.buckets[0].starts = 0; }}}};
}

Edge dying() {
  return {"deaths",
          hours_of(5, {.requests = 100, .failures = 1, .deaths = 1, .wall_s = 5}),
          {hourly("less than 1 %",
                  [](Bucket& hour) {
                    hour.requests = 101;
                    hour.wall_s = 5.1;
                  }),
           hourly("a fork is more than 2 % of the work", [](Bucket& hour) { hour.wall_s = 4.99; }),
           {"four deaths", [](History& h, Prices&) { h.buckets[0] = {.length_s = 3'600}; }},
           configured("each has its own", [](Configuration& c) { c.fresh_memory = true; })}};
}

Edge costly() {
  auto history = hours_of(10, {.requests = 1'000, .wall_s = 5});
  history.configuration.fresh_memory = true;
  return {"costly-isolation",
          history,
          {hourly("a fork is less than 20 % of the work", [](Bucket& hour) { hour.wall_s = 5.01; }),
           {"9999 requests",
            [](History& h, Prices&) {
              h.buckets[0].requests = 999;
              h.buckets[0].wall_s = 4.9;
            }},
           configured("there are no forks", [](Configuration& c) { c.fresh_memory = false; })}};
}

TEST(Rules, FireAtTheirThresholdsAndNotBelow) {
  for (const auto& edge : {steady(), overdue(), in_background(), loaded(), chain(), cold(), kept(),
                           kept_with_short_starts(), dying(), costly()}) {
    const auto findings = advise(edge.fires, test_prices());
    EXPECT_NE(find(findings, edge.rule), nullptr) << edge.rule << " does not fire";
    EXPECT_EQ(find(findings, "as-it-is"), nullptr) << edge.rule;
    for (const auto& weaker : edge.weaker) {
      auto history = edge.fires;
      auto prices = test_prices();
      weaker.change(history, prices);
      EXPECT_EQ(find(advise(history, prices), edge.rule), nullptr)
          << edge.rule << " fires, but " << weaker.what;
    }
  }
}

TEST(Rules, SayNothingOfAQuietFunction) {
  const auto findings = advise(hours_of(24 * 14, quiet_hour()), test_prices());
  ASSERT_EQ(findings.size(), 1U) << findings.front().rule;
  EXPECT_EQ(findings.front().rule, "as-it-is");
  EXPECT_EQ(findings.front().form, Form::per_request);
  EXPECT_FALSE(findings.front().change);
}

}  // namespace
}  // namespace mayfly::advise
