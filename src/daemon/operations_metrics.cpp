// The page of figures for Prometheus: its text format, version 0.0.4.
#include "daemon/ask_shard.h"
#include "daemon/operations.h"
#include "problem/problem.h"

namespace mayfly::daemon {
using boost::asio::awaitable;
namespace {

void append_metric(std::string& page, const char* name, const char* kind, const char* help) {
  page.append("# HELP ")
      .append(name)
      .append(" ")
      .append(help)
      .append("\n# TYPE ")
      .append(name)
      .append(" ")
      .append(kind)
      .append("\n");
}

std::string labels(const Shard::VersionFigures& figures, const std::string& more = {}) {
  return "{function=\"" + figures.function + "\",version=\"" + std::to_string(figures.version) + "\"" + more +
         "} ";
}

std::string invocations_metric(const std::vector<Shard::VersionFigures>& all) {
  std::string page;
  append_metric(page, "mayfly_invocations_total", "counter", "Invocations by outcome.");
  for (const auto& f : all) {
    const std::pair<const char*, const pool::Counter*> outcomes[] = {{"answered", &f.stats->answered},
                                                                     {"failed", &f.stats->failed},
                                                                     {"timed_out", &f.stats->timed_out},
                                                                     {"rejected", &f.stats->rejected},
                                                                     {"cancelled", &f.stats->cancelled}};
    for (const auto& [outcome, counter] : outcomes)
      page += "mayfly_invocations_total" + labels(f, std::string(",outcome=\"") + outcome + "\"") +
              std::to_string(counter->get()) + "\n";
  }
  return page;
}

std::string refusals_metric(const Shard::RefusalFigures& all) {
  std::string page;
  append_metric(page, "mayfly_refusals_total", "counter",
                "Requests that were refused before a function saw them.");
  for (const auto& [function, reasons] : all)
    for (const auto& [reason, count] : reasons)
      page += "mayfly_refusals_total{function=\"" + function + "\",reason=\"" + problem::name(reason) +
              "\"} " + std::to_string(count) + "\n";
  return page;
}

std::string seconds(const pool::Counter& nanoseconds) {
  return std::to_string(static_cast<double>(nanoseconds.get()) / 1e9);
}

/// One sample for each version.
struct VersionMetric {
  const char* name;
  const char* kind;
  const char* help;
  std::string (*value)(const pool::VersionStats&);
};
using Stats = pool::VersionStats;
constexpr VersionMetric kVersionMetrics[] = {
    {"mayfly_instances", "gauge", "Instances that exist.",
     [](const Stats& of) { return std::to_string(of.instances.get()); }},
    {"mayfly_waiting", "gauge", "Invocations that wait for an instance.",
     [](const Stats& of) { return std::to_string(of.waiting.get()); }},
    {"mayfly_instances_started_total", "counter", "Instances ever started.",
     [](const Stats& of) { return std::to_string(of.started.get()); }},
    {"mayfly_templates_built_total", "counter", "Templates ever built.",
     [](const Stats& of) { return std::to_string(of.templates.get()); }},
    {"mayfly_wait_seconds_total", "counter", "Time that invocations waited for an instance.",
     [](const Stats& of) { return seconds(of.wait_ns); }},
    {"mayfly_run_seconds_total", "counter", "Time that answered invocations ran.",
     [](const Stats& of) { return seconds(of.run_ns); }},
};

}  // namespace

awaitable<std::string> PlatformOperations::metrics() {
  std::vector<Shard::VersionFigures> all;
  for (const auto& shard : parts_.shards) {
    auto asked = ask_shard(parts_.control, *shard, [](Shard& its) { return its.stats(); });
    auto part = co_await std::move(asked);
    all.insert(all.end(), part.begin(), part.end());
  }
  std::string page = invocations_metric(all);
  for (const auto& metric : kVersionMetrics) {
    append_metric(page, metric.name, metric.kind, metric.help);
    for (const auto& f : all) page += metric.name + labels(f) + metric.value(*f.stats) + "\n";
  }
  const auto refused = co_await refusals();
  page += refusals_metric(refused);
  append_metric(page, "mayfly_runtime_restarts_total", "counter",
                "Times a runtime process was started again.");
  for (const auto& one : parts_.runtimes.states())
    page += "mayfly_runtime_restarts_total{runtime=\"" + one.name + "\",interpreter=\"" + one.interpreter +
            "\"} " + std::to_string(one.restarts) + "\n";
  co_return page;
}

}  // namespace mayfly::daemon
