// What functions used, what it costs, and by which prices.
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/usage_view.h"
#include "base/clock.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

constexpr std::size_t kMostRecords = 10'000;
constexpr std::size_t kMostRows = 20'000;

using Rows = std::vector<meter::UsageRow>;
using Records = std::vector<meter::UsageBatch::Single>;

std::unexpected<Error> not_metered() {
  return fail(AdminErrc::not_metered, "nothing is metered: the daemon was started with --metering off");
}

/// An unknown name is told apart from one that has used nothing.
Result<void> check_names(const Services& services, const meter::UsageQuery& query) {
  if (!query.function.empty())
    if (auto function = services.registry.get(query.function); !function) return propagate(function);
  if (!query.tenant || query.tenant->empty()) return {};
  for (const auto& function : services.registry.list())
    for (const auto& [number, version] : function->versions)
      if (version->config.tenant == *query.tenant) return {};
  return fail(AdminErrc::unknown_tenant, "no function has the tenant '" + *query.tenant + "', and none had");
}

awaitable<Result<Rows>> read(const Services& services, meter::UsageQuery query) {
  if (services.ledger == nullptr) co_return not_metered();
  auto flushing = services.operations.flush_usage();
  co_await std::move(flushing);
  auto asking = await_then<Rows>(services.control, [&services, query](events::Then<Rows> then) {
    services.ledger->sums(query, std::move(then));
  });
  auto rows = co_await std::move(asking);
  if (rows && rows->empty())
    if (auto known = check_names(services, query); !known) co_return propagate(known);
  co_return rows;
}

Result<bool> wants_csv(const Request& request) {
  const auto format = request.query_value("format").value_or("json");
  if (format != "json" && format != "csv")
    return fail(AdminErrc::invalid_parameter, "format must be json or csv");
  return format == "csv";
}

Response csv_response(const json& rows) {
  Response response;
  response.content_type = "text/csv; charset=utf-8; header=present";
  response.body = csv_of(rows);
  return response;
}

std::int64_t now_ms() { return to_millis(SystemClock().wall()); }

json head_of(const meter::UsageQuery& query, std::int64_t now) {
  return {{"from", time_text(query.from_ms)},
          {"to", time_text(std::min(query.to_ms, now))},
          {"resolution", meter::kResolutions.at(static_cast<std::size_t>(query.resolution))}};
}

awaitable<Result<Response>> usage(const Services& services, Request& request) {
  const auto now = now_ms();
  auto query = usage_query(request, now);
  if (!query) co_return propagate(query);
  auto csv = wants_csv(request);
  if (!csv) co_return propagate(csv);
  auto reading = read(services, *query);
  auto rows = co_await std::move(reading);
  if (!rows) co_return propagate(rows);
  if (rows->size() > kMostRows)
    co_return fail(AdminErrc::invalid_parameter, "there are " + std::to_string(rows->size()) +
                                                     " rows, more than " + std::to_string(kMostRows) +
                                                     ": ask for a shorter time, or for less at a time");
  json list = json::array();
  for (const auto& row : *rows) list.push_back(usage_json(row, *query));
  if (*csv) co_return csv_response(list);
  auto body = head_of(*query, now);
  body["rows"] = std::move(list);
  body["budgets"] = budgets_json(services.budgets, query->function, query->tenant.value_or(""));
  co_return json_response(body);
}

awaitable<Result<Response>> records(const Services& services, Request& request) {
  if (services.ledger == nullptr) co_return not_metered();
  auto most = request.query_number("limit", 100, kMostRecords);
  if (!most) co_return propagate(most);
  auto csv = wants_csv(request);
  if (!csv) co_return propagate(csv);
  const meter::RecordQuery query{request.query_value("function").value_or(""), *most};
  auto flushing = services.operations.flush_usage();
  co_await std::move(flushing);
  auto asking = await_then<Records>(services.control, [&services, query](events::Then<Records> then) {
    services.ledger->records(query, std::move(then));
  });
  auto found = co_await std::move(asking);
  if (!found) co_return propagate(found);
  meter::UsageQuery names;
  names.function = query.function;
  if (found->empty())
    if (auto known = check_names(services, names); !known) co_return propagate(known);
  json list = json::array();
  for (const auto& single : *found) list.push_back(record_json(single));
  if (*csv) co_return csv_response(list);
  const json body{{"records", std::move(list)}};
  co_return json_response(body);
}

awaitable<Result<Response>> bill(const Services& services, Request& request) {
  const auto now = now_ms();
  auto query = usage_query(request, now);
  if (!query) co_return propagate(query);
  auto csv = wants_csv(request);
  if (!csv) co_return propagate(csv);
  auto apart = *query;
  apart.by_class = true;  // classes have prices of their own
  auto reading = read(services, apart);
  auto rows = co_await std::move(reading);
  if (!rows) co_return propagate(rows);
  meter::Cost total;
  json list = json::array();
  for (const auto& line : bill_lines(*rows, *query, services.prices)) {
    total.add(line.cost);
    list.push_back(bill_json(line, *query));
  }
  if (*csv) co_return csv_response(list);
  auto body = head_of(*query, now);
  body["prices"] = prices_json(services.prices);
  body["lines"] = std::move(list);
  body["total"] = total.total();
  co_return json_response(body);
}

std::vector<Parameter> parameters() {
  return {{"by", "string",
           "What rows are kept apart by: function, version, tenant, class, and one of minute, hour, day; "
           "several with commas (function)"},
          {"function", "string", "Only of this one"},
          {"tenant", "string", "Only of this one's functions"},
          {"class", "string", "interactive or background"},
          {"from", "string", "A day, a time (RFC 3339), or how long ago, like 24h (1d)"},
          {"to", "string", "Likewise (now)"},
          {"format", "string", "json or csv (json)"}};
}

}  // namespace

std::vector<Route> usage_routes(const Services& s) {
  const Answer none{404, "There is no such function or tenant", "Problem", "application/problem+json"};
  const Answer off{409, "Nothing is metered", "Problem", "application/problem+json"};
  return {
      {"GET",
       "/v1/usage",
       "usage",
       "What functions used",
       {{200, "Sums", "Usage"}, none, off},
       with_services(usage, s),
       parameters()},
      {"GET",
       "/v1/usage/records",
       "usageRecords",
       "Single invocations and what each used, the newest first",
       {{200, "Records", "UsageRecords"}, none, off},
       with_services(records, s),
       {{"function", "string", "Only of this one"},
        {"limit", "integer", "At most so many, up to 10000 (100)"},
        {"format", "string", "json or csv (json)"}}},
      {"GET",
       "/v1/bill",
       "bill",
       "What it costs, by the daemon's price sheet",
       {{200, "Lines and their sum", "Bill"}, none, off},
       with_services(bill, s),
       parameters()},
  };
}

}  // namespace mayfly::admin
