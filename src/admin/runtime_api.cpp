#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "admin/api.h"
#include "admin/async_invoke.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/event_metrics.h"
#include "admin/event_queues.h"
#include "admin/openapi.h"
#include "base/ascii.h"
#include "base/text.h"
#include "pool/own_fields.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxTail = 10'000;

/// Headers of the request to the admin plane that are not for the function.
bool is_own_header(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kOwn{"authorization",
                                                         "connection",
                                                         "content-length",
                                                         "expect",
                                                         "host",
                                                         "keep-alive",
                                                         "proxy-authorization",
                                                         "te",
                                                         "trailer",
                                                         "transfer-encoding",
                                                         "upgrade"};
  return std::ranges::find(kOwn, lower(name)) != kOwn.end();
}

/// What a function allows pages of other origins is not for the admin plane.
bool is_cors_header(std::string_view name) {
  static constexpr std::string_view kPrefix = "access-control-";
  return name.size() >= kPrefix.size() &&
         std::ranges::equal(name.substr(0, kPrefix.size()), kPrefix,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a + 32) : a) == b; });
}

/// Headers of the function's answer that belong to its connection; ours is another one.
bool is_connection_header(std::string_view name) { return is_own_header(name); }

Result<InvokeRequest> invocation_of(Request& request) {
  InvokeRequest wanted{.function = request.param("name")};
  const auto method = request.query_value("method");
  const auto path = request.query_value("path");
  wanted.event = request.query_value("event") ? request.query_flag("event") : !method && !path;
  if (method) wanted.method = *method;
  if (path) wanted.target = *path;
  const auto is_letter = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (wanted.method.empty() || wanted.method.size() > 20 || !std::ranges::all_of(wanted.method, is_letter))
    return fail(AdminErrc::invalid_parameter, "method must be an HTTP method in capitals: GET, POST, …");
  const auto is_visible = [](char c) { return c > ' ' && c != 127; };
  if (!wanted.target.starts_with('/') || !std::ranges::all_of(wanted.target, is_visible))
    return fail(AdminErrc::invalid_parameter, "path must start with '/' and have no blanks");
  // Who may invoke may not say who calls: not what a key or a token of the data plane would say for it.
  for (auto& [name, value] : request.headers)
    if (!is_own_header(name) && !pool::is_own_field(lower(name)))
      wanted.headers.emplace_back(std::move(name), std::move(value));
  wanted.body = std::move(request.body);
  wanted.client = request.client;
  return wanted;
}

awaitable<Result<Response>> invoke(const Services& services, Request& request) {
  const std::string_view address = request.param("name");
  auto function = services.registry.get(address.substr(0, address.find('@')));
  if (!function) co_return propagate(function);
  auto wanted = invocation_of(request);
  if (!wanted) co_return propagate(wanted);
  if (prefers_async(wanted->headers)) {
    auto accepting = accept_invocation(services, *function, std::move(*wanted));
    co_return co_await std::move(accepting);
  }
  // Called and awaited in two statements: see functions_api.cpp.
  auto invoking = services.operations.invoke(std::move(*wanted));
  auto answer = co_await std::move(invoking);
  if (!answer) co_return propagate(answer);
  // The function's own Content-Type, or none: this is its answer, not ours.
  Response response{.status = answer->status, .content_type = "", .body = std::move(answer->body)};
  for (auto& [name, value] : answer->headers)
    if (!is_connection_header(name) && !is_cors_header(name))
      response.headers.emplace_back(std::move(name), std::move(value));
  co_return response;
}

awaitable<Result<Response>> evict(const Services& services, Request& request) {
  auto function = services.registry.get(request.param("name"));
  if (!function) co_return propagate(function);
  const auto what = request.query_value("what").value_or("instances");
  if (what != "instances" && what != "template")
    co_return fail(AdminErrc::invalid_parameter, "what must be 'instances' or 'template'");
  std::string name = request.param("name");
  auto evicting = services.operations.evict(std::move(name), what == "template");
  co_await std::move(evicting);
  co_return Response{.status = 204};
}

awaitable<Result<Response>> logs(const Services& services, Request& request) {
  auto function = services.registry.get(request.param("name"));
  if (!function) co_return propagate(function);
  auto tail = request.query_number("tail", 100, kMaxTail);
  if (!tail) co_return propagate(tail);
  LogQuery query{.function = request.param("name"),
                 .tail = *tail,
                 .invocation = request.query_value("invocation").value_or("")};
  Response response{.content_type = "application/x-ndjson"};
  if (request.query_flag("follow")) response.follow = std::make_shared<LogQueue>(services.control);
  auto reading = services.operations.logs(std::move(query), response.follow);
  const auto lines = co_await std::move(reading);
  for (const auto& line : lines) response.body.append(line).append("\n");
  co_return response;
}

awaitable<Result<Response>> status(const Services& services, Request&) {
  const json body = co_await services.operations.status();
  co_return json_response(body);
}

awaitable<Result<Response>> metrics(const Services& services, Request&) {
  Response response{.content_type = "text/plain; version=0.0.4; charset=utf-8"};
  response.body = co_await services.operations.metrics();
  auto asking = event_queues(services);
  const auto queues = co_await std::move(asking);
  if (queues) response.body += event_metrics(*queues, services.events.store_figures());
  co_return response;
}

awaitable<Result<Response>> healthy(const Services&, Request&) {
  co_return Response{.content_type = "text/plain; charset=utf-8", .body = "ok\n"};
}

awaitable<Result<Response>> ready(const Services& services, Request& request) {
  if (!services.operations.ready())
    co_return fail(AdminErrc::not_ready, "starting, or draining before the end");
  co_return co_await healthy(services, request);
}

awaitable<Result<Response>> text(std::shared_ptr<const std::string> body) {
  co_return Response{.body = *body};
}

const std::vector<Parameter> kInvokeQuery = {
    {"method", "string", "The method that the function sees; POST if absent"},
    {"path", "string", "Path and query that the function sees; / if absent"},
    {"event", "boolean",
     "Whether a Lambda handler gets the body as its event (default: if neither method nor path is given)"},
};
const std::vector<Parameter> kEvictQuery = {
    {"what", "string", "instances, or template: both; instances if absent"},
};
const std::vector<Parameter> kLogQuery = {
    {"tail", "integer", "How many of the newest lines, 0 to 10000; 100 if absent"},
    {"follow", "boolean", "Go on with new lines until the client leaves"},
    {"invocation", "string", "Only the lines of this invocation"},
};

}  // namespace

std::vector<Route> runtime_routes(const Services& s) {
  return {
      {"POST",
       "/v1/functions/{name}/invocations",
       "invoke",
       "Call a function (NAME, NAME@VERSION or NAME@ALIAS); the body is its payload, other headers are "
       "passed on",
       {{200, "The function's answer, whatever its status", "", "*/*"},
        {202, "With `Prefer: respond-async`: it is on disk, and is delivered later", "Accepted"},
        {422, "The Idempotency-Key was used for another request", "Problem", "application/problem+json"},
        {500, "The function failed; with stack and log lines", "Problem", "application/problem+json"},
        {504, "The deadline passed", "Problem", "application/problem+json"}},
       with_services(invoke, s),
       kInvokeQuery,
       BodyKind::payload},
      {"POST",
       "/v1/functions/{name}/evict",
       "evict",
       "End what a function keeps warm; its next request starts it again",
       {{204, "Its idle instances (and its templates) are gone"}},
       with_services(evict, s),
       kEvictQuery},
      {"GET",
       "/v1/functions/{name}/logs",
       "logs",
       "The newest log lines of a function, oldest first",
       {{200, "One JSON object a line", "LogLine", "application/x-ndjson"}},
       with_services(logs, s),
       kLogQuery},
      {"GET",
       "/v1/status",
       "status",
       "What this daemon is and what it has",
       {{200, "Version, addresses, runtimes, counts", "Status"}},
       with_services(status, s)},
      {"GET",
       "/metrics",
       "metrics",
       "Figures for Prometheus",
       {{200, "Text format 0.0.4", "", "text/plain"}},
       with_services(metrics, s)},
      {.method = "GET",
       .pattern = "/healthz",
       .id = "health",
       .summary = "Whether the daemon lives",
       .answers = {{200, "It does", "", "text/plain"}},
       .handler = with_services(healthy, s),
       .open = true},
      {.method = "GET",
       .pattern = "/readyz",
       .id = "ready",
       .summary = "Whether requests are served",
       .answers = {{200, "They are", "", "text/plain"},
                   {503, "Not yet, or not any more", "Problem", "application/problem+json"}},
       .handler = with_services(ready, s),
       .open = true},
  };
}

std::vector<Route> api_routes(const Services& services) {
  auto routes = function_routes(services);
  for (auto& route : runtime_routes(services)) routes.push_back(std::move(route));
  for (auto& route : secret_routes(services)) routes.push_back(std::move(route));
  for (auto& route : dataset_routes(services)) routes.push_back(std::move(route));
  for (auto& route : token_routes(services)) routes.push_back(std::move(route));
  for (auto& route : key_routes(services)) routes.push_back(std::move(route));
  for (auto& route : invocation_routes(services)) routes.push_back(std::move(route));
  for (auto& route : queue_routes(services)) routes.push_back(std::move(route));
  for (auto& route : callback_routes(services)) routes.push_back(std::move(route));
  for (auto& route : topic_routes(services)) routes.push_back(std::move(route));
  for (auto& route : usage_routes(services)) routes.push_back(std::move(route));
  for (auto& route : pipeline_routes(services)) routes.push_back(std::move(route));
  for (auto& route : schedule_routes(services)) routes.push_back(std::move(route));
  for (auto& route : advice_routes(services)) routes.push_back(std::move(route));
  auto document = std::make_shared<std::string>();
  routes.push_back({"GET",
                    "/v1/openapi.json",
                    "openapi",
                    "This document",
                    {{200, "OpenAPI 3.1", "Document"}},
                    [document](Request&) { return text(document); }});
  *document = openapi_document(routes);
  return routes;
}

}  // namespace mayfly::admin
