// Advice: which form fits a function, from what was metered of it.
#include <ctime>
#include <nlohmann/json.hpp>

#include "admin/advice_history.h"
#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/event_queues.h"
#include "advise/advise.h"
#include "advise/json.h"
#include "base/text.h"
#include "registry/main_version.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

using Rows = std::vector<meter::UsageRow>;

std::chrono::seconds utc_offset(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm local{};
  return std::chrono::seconds(::localtime_r(&seconds, &local) == nullptr ? 0 : local.tm_gmtoff);
}

awaitable<Result<Rows>> sums(const Services& services, const std::string& function,
                             meter::Resolution resolution, WallTime from) {
  meter::UsageQuery query;
  query.resolution = resolution;
  // The stretch in which it begins counts, too.
  query.from_ms = to_millis(from) - meter::length_of(resolution).count();
  query.function = function;
  query.by_time = query.by_function = query.by_version = query.by_class = true;
  auto asking =
      await_then<Rows>(services.control, [&services, query](std::function<void(Result<Rows>)> then) {
        services.ledger->sums(query, std::move(then));
      });
  co_return co_await std::move(asking);
}

/// What has code of ours, by name.
Result<std::vector<registry::FunctionPtr>> functions_of(const Services& services, const std::string& name) {
  if (!name.empty()) {
    auto function = services.registry.get(name);
    if (!function) return propagate(function);
    return std::vector{*function};
  }
  std::vector<registry::FunctionPtr> functions;
  for (auto& function : services.registry.list())
    if (const auto& main = registry::main_version(*function);
        main && main->runtime != registry::Runtime::upstream)
      functions.push_back(std::move(function));
  return functions;
}

json function_json(const advise::History& history, const advise::Prices& prices, bool with_history) {
  std::uint64_t requests = 0;
  for (const auto& bucket : history.buckets) requests += bucket.requests;
  json findings = json::array();
  for (const auto& finding : advise::advise(history, prices)) findings.push_back(advise::to_json(finding));
  json result{{"function", history.function},
              {"history",
               {{"from", timestamp(history.begin)}, {"to", timestamp(history.end)}, {"requests", requests}}},
              {"findings", std::move(findings)}};
  if (with_history) result["input"] = advise::to_json(history);
  return result;
}

awaitable<Result<Response>> advice(const Services& services, Request& request) {
  const std::string name = request.query_value("function").value_or("");
  const bool with_history = request.query_flag("history");
  auto functions = functions_of(services, name);
  if (!functions) co_return propagate(functions);
  if (services.ledger == nullptr) co_return fail(AdminErrc::not_metered, "this daemon meters nothing");
  auto flushing = services.operations.flush_usage();
  co_await std::move(flushing);
  const auto now = services.registry.clock().wall();
  auto asking_hours = sums(services, name, meter::Resolution::hour, now - kAdviceWindow);
  const auto hours = co_await std::move(asking_hours);
  if (!hours) co_return std::unexpected(hours.error());
  auto asking_minutes = sums(services, name, meter::Resolution::minute, now - kAdviceMinutes);
  const auto minutes = co_await std::move(asking_minutes);
  if (!minutes) co_return std::unexpected(minutes.error());

  json items = json::array();
  for (const auto& function : *functions) {
    auto asking_live = services.operations.live(function->name);
    const json live = co_await std::move(asking_live);
    auto asking_queues = event_queues(services, function->name);
    const auto queues = co_await std::move(asking_queues);
    if (!queues) co_return std::unexpected(queues.error());
    const AdviceSource source{*function, live, now, invocations_of_events(*queues), utc_offset(now)};
    const bool is_short = advice_begin(source) > now - kAdviceMinutes;
    const auto history = advice_history(source, is_short ? *minutes : *hours,
                                        is_short ? meter::Resolution::minute : meter::Resolution::hour);
    items.push_back(function_json(history, services.prices, with_history));
  }
  json body{{"currency", services.prices.currency}, {"functions", std::move(items)}};
  if (with_history) body["prices"] = advise::to_json(services.prices);
  co_return json_response(body);
}

}  // namespace

std::vector<Route> advice_routes(const Services& s) {
  return {{"GET",
           "/v1/advice",
           "advise",
           "Which form fits functions, and which is cheapest, from what was metered of them",
           {{200, "Each function with what is to be said of it", "Advice"}},
           with_services(advice, s),
           {{"function", "string", "Of this one alone"},
            {"history", "boolean", "With what the rules were given: the figures by time, and the prices"}}}};
}

}  // namespace mayfly::admin
