#include "advise/json.h"

#include <nlohmann/json.hpp>

namespace mayfly::advise {

using nlohmann::json;

namespace {

// Each member once, for writing and for reading.
template <class Visit, class Object>
void members(const Visit& visit, Object& bucket)
  requires requires { bucket.overdue; }
{
  visit("length_s", bucket.length_s);
  visit("requests", bucket.requests);
  visit("failures", bucket.failures);
  visit("overdue", bucket.overdue);
  visit("deaths", bucket.deaths);
  visit("unattended", bucket.unattended);
  visit("starts", bucket.starts);
  visit("wall_s", bucket.wall_s);
  visit("waiting_s", bucket.waiting_s);
  visit("init_s", bucket.init_s);
  visit("cpu_s", bucket.cpu_s);
  visit("other_cpu_s", bucket.other_cpu_s);
  visit("gib_s", bucket.gib_s);
  visit("used_gib_s", bucket.used_gib_s);
  visit("bytes_in", bucket.bytes_in);
  visit("bytes_out", bucket.bytes_out);
}

template <class Visit, class Object>
void members(const Visit& visit, Object& callee)
  requires requires {
    callee.waited_s;
    callee.calls;
  }
{
  visit("function", callee.function);
  visit("calls", callee.calls);
  visit("waited_s", callee.waited_s);
  visit("work_known", callee.work_known);
  visit("wall_s", callee.wall_s);
  visit("cpu_s", callee.cpu_s);
  visit("gib_s", callee.gib_s);
}

template <class Visit, class Object>
void members(const Visit& visit, Object& configuration)
  requires requires { configuration.timeout_s; }
{
  visit("timeout_s", configuration.timeout_s);
  visit("memory_gib", configuration.memory_gib);
  visit("concurrency", configuration.concurrency);
  visit("min_instances", configuration.min_instances);
  visit("max_instances", configuration.max_instances);
  visit("background", configuration.background);
  visit("fresh_memory", configuration.fresh_memory);
  visit("datasets", configuration.datasets);
}

template <class Visit, class Object>
void members(const Visit& visit, Object& prices)
  requires requires { prices.kept_gib_s; }
{
  visit("currency", prices.currency);
  for (const auto& field : meter::kPriceFields) visit(std::string(field.name).c_str(), prices.*field.member);
}

template <class Object>
json written(const Object& object) {
  json result = json::object();
  members([&](const char* name, const auto& member) { result[name] = member; }, object);
  return result;
}

template <class Object>
Object read(const json& from) {
  Object object;
  members(
      [&](const char* name, auto& member) {
        if (from.contains(name)) from.at(name).get_to(member);
      },
      object);
  return object;
}

std::int64_t seconds_of(std::chrono::sys_seconds time) { return time.time_since_epoch().count(); }

std::chrono::sys_seconds time_of(const json& seconds) {
  return std::chrono::sys_seconds(std::chrono::seconds(seconds.get<std::int64_t>()));
}

}  // namespace

json to_json(const Finding& finding) {
  json figures = json::object();
  for (const auto& [name, value] : finding.figures) figures[name] = value;
  json result{{"rule", finding.rule},          {"form", form_name(finding.form)},
              {"summary", finding.summary},    {"reason", finding.reason},
              {"figures", std::move(figures)}, {"confidence", confidence_name(finding.confidence)},
              {"unknown", finding.unknown}};
  if (finding.cost_now) result["cost_now"] = *finding.cost_now;
  if (finding.cost_then) result["cost_then"] = *finding.cost_then;
  if (finding.change) result["change"] = {{"key", finding.change->key}, {"value", finding.change->value}};
  return result;
}

json to_json(const History& history) {
  json buckets = json::array();
  for (const auto& bucket : history.buckets) {
    buckets.push_back(written(bucket));
    buckets.back()["start"] = seconds_of(bucket.start);
  }
  json callees = json::array();
  for (const auto& callee : history.callees) callees.push_back(written(callee));
  json result{{"function", history.function},
              {"begin", seconds_of(history.begin)},
              {"end", seconds_of(history.end)},
              {"utc_offset_s", history.utc_offset.count()},
              {"buckets", std::move(buckets)},
              {"callees", std::move(callees)},
              {"calls_known", history.calls_known},
              {"shared", history.shared},
              {"configuration", written(history.configuration)}};
  if (history.instance_gib) result["instance_gib"] = *history.instance_gib;
  if (history.template_gib) result["template_gib"] = *history.template_gib;
  return result;
}

json to_json(const Prices& prices) { return written(prices); }

Prices prices_from_json(const json& from) { return read<Prices>(from); }

History history_from_json(const json& from) {
  History history;
  history.function = from.value("function", "");
  history.begin = time_of(from.at("begin"));
  history.end = time_of(from.at("end"));
  history.utc_offset = std::chrono::seconds(from.value("utc_offset_s", 0));
  for (const auto& one : from.at("buckets")) {
    history.buckets.push_back(read<Bucket>(one));
    history.buckets.back().start = time_of(one.at("start"));
  }
  for (const auto& one : from.at("callees")) history.callees.push_back(read<Callee>(one));
  history.calls_known = from.value("calls_known", false);
  history.shared = from.value("shared", false);
  history.configuration = read<Configuration>(from.at("configuration"));
  if (from.contains("instance_gib")) history.instance_gib = from.at("instance_gib").get<double>();
  if (from.contains("template_gib")) history.template_gib = from.at("template_gib").get<double>();
  return history;
}

}  // namespace mayfly::advise
