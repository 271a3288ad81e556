#include "admin/usage_view.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "admin/errors.h"
#include "base/date_time.h"
#include "base/text.h"

namespace mayfly::admin {

using meter::InvocationClass;
using meter::Resolution;
using meter::Usage;
using meter::UsageQuery;
using meter::UsageRow;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1000.0;  // KiB ms in a GiB second

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / 1e9; }
double gib_seconds(std::uint64_t kib_ms) { return static_cast<double>(kib_ms) / kGib; }

std::unexpected<Error> invalid(const std::string& what) { return fail(AdminErrc::invalid_parameter, what); }

Result<void> take_by(UsageQuery& query, std::string_view name) {
  const std::array<std::pair<std::string_view, bool*>, 4> kKeys{{{"function", &query.by_function},
                                                                 {"version", &query.by_version},
                                                                 {"tenant", &query.by_tenant},
                                                                 {"class", &query.by_class}}};
  for (const auto& [key, target] : kKeys)
    if (key == name) {
      *target = true;
      return {};
    }
  const auto* const length = std::ranges::find(meter::kResolutions, name);
  if (length == meter::kResolutions.end())
    return invalid("by: '" + std::string(name) +
                   "' is none of function, version, tenant, class, minute, hour, day");
  if (query.by_time) return invalid("by: one of minute, hour and day");
  query.by_time = true;
  query.resolution = static_cast<Resolution>(length - meter::kResolutions.begin());
  return {};
}

Result<void> take_all_by(UsageQuery& query, std::string_view list) {
  query.by_function = list.empty();
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (auto taken = take_by(query, list.substr(0, comma)); !taken) return taken;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  if (query.by_version) query.by_function = true;
  return {};
}

/// "24h" ago, a day, or a time.
Result<std::int64_t> parse_time(const std::string& name, const std::string& text, std::int64_t now_ms) {
  using std::chrono::duration_cast;
  if (const auto ago = parse_duration(text)) return now_ms - ago->count();
  const auto whole = parse_date_time(text.size() == 10 ? text + "T00:00:00Z" : text);
  const auto time = whole ? whole->time() : std::nullopt;
  if (!time)
    return invalid(name +
                   " must be a time like 2026-05-01 or 2026-05-01T12:00:00Z, or how long ago, like 24h");
  return duration_cast<milliseconds>(time->time_since_epoch()).count();
}

/// The finest of which there is something from so long ago on.
Resolution finest_since(std::int64_t from_ms, std::int64_t now_ms) {
  for (const auto resolution : {Resolution::minute, Resolution::hour})
    if (from_ms >= now_ms - meter::retention_of(resolution).count()) return resolution;
  return Resolution::day;
}

void put_key(json& object, const UsageRow& row, const UsageQuery& query) {
  if (query.by_time) object["start"] = time_text(row.start_ms);
  if (query.by_function) object["function"] = row.key.function;
  if (query.by_version) object["version"] = row.key.version;
  if (query.by_tenant) object["tenant"] = row.key.tenant;
  if (query.by_class) object["class"] = meter::text_of(row.key.invocation_class);
}

}  // namespace

std::string time_text(std::int64_t time_ms) {
  // What is beyond years of four digits is no time that anybody meant.
  constexpr std::int64_t kLast = 253'402'300'799'000;
  const auto time =
      std::chrono::system_clock::time_point(milliseconds(std::clamp<std::int64_t>(time_ms, 0, kLast)));
  return timestamp(time);
}

Result<UsageQuery> usage_query(const Request& request, std::int64_t now_ms) {
  UsageQuery query;
  if (auto taken = take_all_by(query, request.query_value("by").value_or("")); !taken)
    return propagate(taken);
  query.function = request.query_value("function").value_or("");
  query.tenant = request.query_value("tenant");
  if (const auto which = request.query_value("class")) {
    if (*which != "interactive" && *which != "background")
      return invalid("class must be interactive or background");
    query.invocation_class =
        *which == "background" ? InvocationClass::background : InvocationClass::interactive;
  }
  auto from = parse_time("from", request.query_value("from").value_or("1d"), now_ms);
  if (!from) return propagate(from);
  if (const auto to = request.query_value("to")) {
    auto until = parse_time("to", *to, now_ms);
    if (!until) return propagate(until);
    query.to_ms = *until;
    if (*until <= *from) return invalid("to must be after from");
  }
  if (!query.by_time) query.resolution = finest_since(*from, now_ms);
  // The stretch in which it lies is in it as a whole.
  const auto length = meter::length_of(query.resolution).count();
  query.from_ms = std::max<std::int64_t>(*from, 0) / length * length;
  return query;
}

json usage_json(const UsageRow& row, const UsageQuery& query) {
  json object = json::object();
  put_key(object, row, query);
  const Usage& usage = row.usage;
  object["invocations"] = usage.invocations;
  object["answered"] = usage.answered;
  object["failed"] = usage.failed;
  object["timed_out"] = usage.timed_out;
  object["cancelled"] = usage.cancelled;
  object["rejected"] = usage.rejected;
  object["retries"] = usage.retries;
  object["shared"] = usage.shared;
  object["wall_s"] = seconds(usage.wall_ns);
  object["waiting_s"] = seconds(usage.waiting_ns);
  object["init_s"] = seconds(usage.init_ns);
  object["cpu_s"] = seconds(usage.cpu_ns);
  object["init_cpu_s"] = seconds(usage.init_cpu_ns);
  object["idle_cpu_s"] = seconds(usage.idle_cpu_ns);
  object["memory_gib_s"] = gib_seconds(usage.memory_kib_ms);
  object["reserved_gib_s"] = gib_seconds(usage.reserved_kib_ms);
  object["bytes_in"] = usage.bytes_in;
  object["bytes_out"] = usage.bytes_out;
  object["instances_started"] = usage.starts;
  object["instance_s"] = seconds(usage.instance_ns);
  object["busy_s"] = seconds(usage.busy_ns);
  object["peak"] = usage.peak;
  return object;
}

json record_json(const meter::UsageBatch::Single& single) {
  const auto& [key, record] = single;
  const std::string id(record.invocation.data(), record.invocation.size());
  return {{"invocation", id},
          {"function", key.function},
          {"version", key.version},
          {"tenant", key.tenant},
          {"class", meter::text_of(key.invocation_class)},
          {"started", time_text(record.started_ms)},
          {"outcome", meter::text_of(record.outcome)},
          {"attempt", record.attempt},
          {"shared", record.shared},
          {"wall_s", seconds(record.wall_ns)},
          {"waiting_s", seconds(record.waiting_ns)},
          {"init_s", seconds(record.init_ns)},
          {"cpu_s", seconds(record.cpu_ns)},
          {"memory_gib_s", gib_seconds(record.memory_kib_ms)},
          {"reserved_gib_s", gib_seconds(record.reserved_kib_ms)},
          {"bytes_in", record.bytes_in},
          {"bytes_out", record.bytes_out}};
}

std::vector<BillLine> bill_lines(const std::vector<UsageRow>& rows, const UsageQuery& query,
                                 const meter::Prices& prices) {
  std::map<std::pair<std::int64_t, meter::UsageKey>, BillLine> lines;
  for (const auto& row : rows) {
    auto key = row.key;
    if (!query.by_class) key.invocation_class = InvocationClass::interactive;
    auto& line = lines[{query.by_time ? row.start_ms : 0, key}];
    line.row.key = key;
    line.row.start_ms = row.start_ms;
    line.row.usage.add(row.usage);
    line.cost.add(meter::cost_of(row.usage, row.key.invocation_class, prices));
  }
  std::vector<BillLine> all;
  for (auto& [key, line] : lines) all.push_back(std::move(line));
  return all;
}

json bill_json(const BillLine& line, const UsageQuery& query) {
  json object = json::object();
  put_key(object, line.row, query);
  const auto& usage = line.row.usage;
  object["invocations"] = usage.invocations;
  object["cpu_s"] = seconds(usage.total_cpu_ns());
  object["reserved_gib_s"] = gib_seconds(usage.reserved_kib_ms);
  object["memory_gib_s"] = gib_seconds(usage.memory_kib_ms);
  object["cost_requests"] = line.cost.requests;
  object["cost_memory"] = line.cost.memory;
  object["cost_cpu"] = line.cost.cpu;
  object["cost"] = line.cost.total();
  return object;
}

json budgets_json(const meter::BudgetBook* book, const std::string& function, const std::string& tenant) {
  json list = json::array();
  if (book == nullptr) return list;
  for (const auto& view : book->views()) {
    const auto& budget = view.budget;
    const bool any = function.empty() && tenant.empty();
    if (!any && !budget.covers(function, tenant)) continue;
    json one{{"limit", budget.limit},
             {"spent", view.spent},
             {"state", meter::kBudgetStates.at(static_cast<std::size_t>(view.state))},
             {"period", budget.monthly ? "month" : "day"},
             {"warn", budget.warn},
             {"then", meter::kAtLimit.at(static_cast<std::size_t>(budget.at_limit))},
             {"resets", time_text(view.resets_ms)}};
    if (budget.at_limit == meter::AtLimit::throttle) one["rate"] = format_rate(budget.rate);
    if (budget.function.empty())
      one["tenant"] = budget.tenant;
    else
      one["function"] = budget.function;
    list.push_back(std::move(one));
  }
  return list;
}

json prices_json(const meter::Prices& prices) {
  json object{{"currency", prices.currency}};
  for (const auto& field : meter::kPriceFields) object[std::string(field.name)] = prices.*field.member;
  return object;
}

std::string csv_of(const json& rows) {
  std::string text;
  if (rows.empty()) return text;
  // What a row is about first: alphabetical order would hide it among the figures.
  constexpr std::array<std::string_view, 5> kFirst{"start", "function", "version", "tenant", "class"};
  std::vector<std::string> columns;
  for (const auto name : kFirst)
    if (rows.front().contains(name)) columns.emplace_back(name);
  for (const auto& [name, value] : rows.front().items())
    if (std::ranges::find(kFirst, name) == kFirst.end()) columns.push_back(name);
  const auto line = [&](auto cell) {
    for (std::size_t i = 0; i < columns.size(); ++i) text += (i == 0 ? "" : ",") + cell(columns[i]);
    text += "\r\n";
  };
  line([](const std::string& name) { return name; });
  for (const auto& row : rows)
    line([&row](const std::string& name) {
      const auto& value = row.at(name);
      return value.is_string() ? value.get<std::string>() : value.dump();
    });
  return text;
}

}  // namespace mayfly::admin
