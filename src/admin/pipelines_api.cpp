// Pipelines and their runs.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "base/ascii.h"
#include "base/text.h"
#include "intake/checks.h"
#include "intake/pipeline_request.h"
#include "pipelines/pipelines.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

json pipeline_json(const pipelines::StoredDefinition& stored) {
  const auto& name = stored.definition.name;
  auto item = json::parse(pipelines::to_json(stored.definition));
  item["pipeline"] = name;
  item["revision"] = stored.revision;
  item["changed"] = timestamp(WallTime{} + milliseconds(stored.changed));
  item["url"] = std::string(intake::kPipelinesPath) + name;
  return item;
}

awaitable<Result<Response>> list(const Services& services, Request&) {
  json items = json::array();
  for (const auto& stored : services.pipelines.list()) items.push_back(pipeline_json(*stored));
  const json body{{"pipelines", std::move(items)}};
  co_return json_response(body);
}

awaitable<Result<Response>> show(const Services& services, Request& request) {
  const auto& name = request.param("pipeline");
  const auto stored = services.pipelines.find(name);
  if (!stored) co_return std::unexpected(services.pipelines.unknown(name));
  co_return json_response(pipeline_json(*stored));
}

/// Functions that steps name and that are not there: they may come later.
json missing_functions(const Services& services, const pipelines::Definition& definition) {
  json warnings = json::array();
  for (const auto& step : definition.steps)
    for (const auto& function : {step.function, step.undo})
      if (!function.empty() && !services.registry.find(function.substr(0, function.find('@'))))
        warnings.push_back("step " + step.name + ": there is no function '" + function + "' yet");
  return warnings;
}

awaitable<Result<Response>> deploy_pipeline(const Services& services, Request& request) {
  using pipelines::DefinitionPtr;
  const auto& name = request.param("pipeline");
  auto definition = pipelines::parse_definition(name, request.body);
  if (!definition) {
    auto error = definition.error();
    error.message = "pipelines." + name + ": " + error.message;
    co_return std::unexpected(std::move(error));
  }
  if (request.query_flag("check")) {
    const json body{{"pipeline", name}};
    co_return json_response(body);
  }
  const auto before = services.pipelines.find(name);
  auto held = std::make_shared<pipelines::Definition>(std::move(*definition));
  auto asking =
      await_then<DefinitionPtr>(services.control, [&services, held](events::Then<DefinitionPtr> then) {
        services.pipelines.deploy(*held, std::move(then));
      });
  auto deployed = co_await std::move(asking);
  if (!deployed) co_return propagate(deployed);
  auto body = pipeline_json(**deployed);
  body["unchanged"] = before && before->revision == (*deployed)->revision;
  if (auto warnings = missing_functions(services, *held); !warnings.empty())
    body["warnings"] = std::move(warnings);
  co_return json_response(body, before ? 200 : 201);
}

awaitable<Result<Response>> remove(const Services& services, Request& request) {
  auto asking = await_then<void>(services.control,
                                 [&services, name = request.param("pipeline")](events::Then<void> then) {
                                   services.pipelines.remove(name, std::move(then));
                                 });
  auto removed = co_await std::move(asking);
  if (!removed) co_return propagate(removed);
  co_return Response{.status = 204};
}

std::string header(const Request& request, std::string_view wanted) {
  for (const auto& [name, value] : request.headers)
    if (name.size() == wanted.size() && lower(name) == wanted) return value;
  return {};
}

awaitable<Result<Response>> start(const Services& services, Request& request) {
  const auto& name = request.param("pipeline");
  auto key = header(request, "idempotency-key");
  if (auto checked = intake::check_idempotency_key(key); !checked) co_return propagate(checked);
  auto json_checked = intake::check_json_body(header(request, "content-type"), request.body);
  if (!json_checked) co_return propagate(json_checked);
  auto asking = await_then<std::string>(
      services.control, [&services, name, key, &request](events::Then<std::string> then) {
        services.pipelines.start_run(name, std::move(request.body), key, std::move(then));
      });
  auto started = co_await std::move(asking);
  if (!started) co_return propagate(started);
  const json body{{"run", *started}, {"pipeline", name}, {"url", "/v1/runs/" + *started}};
  Response response = json_response(body, 202);
  response.headers.emplace_back("Location", "/v1/runs/" + *started);
  co_return response;
}

awaitable<Result<Response>> runs(const Services& services, Request& request) {
  constexpr std::array<std::string_view, 6> kStates{"",          "running", "compensating",
                                                    "succeeded", "failed",  "cancelled"};
  pipelines::RunQuery query;
  query.state = request.query_value("state").value_or("");
  if (std::ranges::find(kStates, query.state) == kStates.end())
    co_return fail(
        AdminErrc::invalid_parameter,
        "a run's state is running, compensating, succeeded, failed or cancelled, not '" + query.state + "'");
  query.before = request.query_value("before").value_or("");
  const auto limit = request.query_number("limit", query.limit, 1000);
  if (!limit) co_return std::unexpected(limit.error());
  query.limit = std::max<std::size_t>(1, *limit);
  auto asking = await_then<json>(
      services.control, [&services, query, name = request.param("pipeline")](events::Then<json> then) {
        services.pipelines.runs(name, query, std::move(then));
      });
  auto found = co_await std::move(asking);
  if (!found) co_return propagate(found);
  co_return json_response(*found);
}

awaitable<Result<Response>> show_run(const Services& services, Request& request) {
  const auto detail = request.query_flag("data") ? pipelines::Detail::data : pipelines::Detail::state;
  auto asking = await_then<json>(services.control,
                                 [&services, detail, run = request.param("run")](events::Then<json> then) {
                                   services.pipelines.show({}, run, detail, std::move(then));
                                 });
  auto found = co_await std::move(asking);
  if (!found) co_return propagate(found);
  co_return json_response(*found);
}

/// What is done to a run, and answered with how it stands then.
awaitable<Result<Response>> change(const Services& services, std::string run,
                                   std::function<void(events::Then<void>)> what) {
  auto asking = await_then<void>(services.control, std::move(what));
  auto done = co_await std::move(asking);
  if (!done) co_return propagate(done);
  auto looking = await_then<json>(services.control, [&services, run](events::Then<json> then) {
    services.pipelines.show({}, run, pipelines::Detail::state, std::move(then));
  });
  auto found = co_await std::move(looking);
  if (!found) co_return propagate(found);
  co_return json_response(*found);
}

awaitable<Result<Response>> signal(const Services& services, Request& request) {
  auto checked = intake::check_json_body(header(request, "content-type"), request.body);
  if (!checked) co_return propagate(checked);
  auto changing = change(services, request.param("run"), [&services, &request](events::Then<void> then) {
    services.pipelines.signal({}, request.param("run"), request.param("event"), std::move(request.body),
                              std::move(then));
  });
  co_return co_await std::move(changing);
}

awaitable<Result<Response>> cancel(const Services& services, Request& request) {
  auto changing = change(services, request.param("run"), [&services, &request](events::Then<void> then) {
    services.pipelines.cancel({}, request.param("run"), std::move(then));
  });
  co_return co_await std::move(changing);
}

awaitable<Result<Response>> retry(const Services& services, Request& request) {
  auto changing = change(services, request.param("run"), [&services, &request](events::Then<void> then) {
    services.pipelines.retry({}, request.param("run"), std::move(then));
  });
  co_return co_await std::move(changing);
}

}  // namespace

std::vector<Route> pipeline_routes(const Services& s) {
  constexpr Answer kUnknown{404, "There is none of this name or id, or not any more", "Problem",
                            "application/problem+json"};
  constexpr Answer kRefused{409, "The run has ended, or it has nothing to go on with", "Problem",
                            "application/problem+json"};
  return {
      {"GET",
       "/v1/pipelines",
       "listPipelines",
       "The pipelines, with their steps",
       {{200, "By name", "Pipelines"}},
       with_services(list, s)},
      {"GET",
       "/v1/pipelines/{pipeline}",
       "describePipeline",
       "One pipeline",
       {{200, "Its steps and triggers", "Pipeline"}, kUnknown},
       with_services(show, s)},
      {"PUT",
       "/v1/pipelines/{pipeline}",
       "deployPipeline",
       "Deploy a pipeline: [pipelines.NAME] of mayfly.toml as JSON; runs that were started go on as they "
       "were",
       {{201, "It is there", "Pipeline"},
        {200, "It was changed, or is the same", "Pipeline"},
        {422, "It is not right, and nothing has changed", "Problem", "application/problem+json"}},
       with_services(deploy_pipeline, s),
       {{"check", "boolean", "Only say whether it is right"}},
       BodyKind::json,
       "PipelineDefinition"},
      {"DELETE",
       "/v1/pipelines/{pipeline}",
       "deletePipeline",
       "Delete a pipeline: no run begins any more, those that have begun go on",
       {{204, "It is gone"}, kUnknown},
       with_services(remove, s)},
      {"POST",
       "/v1/pipelines/{pipeline}/runs",
       "startRun",
       "Start a run with this input; Idempotency-Key is honoured",
       {{202, "It is on disk", "RunStarted"}, kUnknown},
       with_services(start, s),
       {},
       BodyKind::payload},
      {"GET",
       "/v1/pipelines/{pipeline}/runs",
       "listRuns",
       "Its runs, newest first",
       {{200, "With their states", "Runs"}, kUnknown},
       with_services(runs, s),
       {{"state", "string", "Only in this state"},
        {"limit", "integer", "How many, 1 to 1000; 20 if absent"},
        {"before", "string", "Only those that were started before this run, or `more` of a list"}}},
      {"GET",
       "/v1/runs/{run}",
       "describeRun",
       "Where a run stands, step by step",
       {{200, "All that is known of it", "Run"}, kUnknown},
       with_services(show_run, s),
       {{"data", "boolean", "With inputs and outputs"}}},
      {"POST",
       "/v1/runs/{run}/events/{event}",
       "sendRunEvent",
       "An event for a step that waits for it, or will",
       {{200, "How it stands now", "Run"}, kUnknown, kRefused},
       with_services(signal, s),
       {},
       BodyKind::payload},
      {"POST",
       "/v1/runs/{run}/cancel",
       "cancelRun",
       "End it, and undo what it has done",
       {{200, "How it stands now", "Run"}, kUnknown, kRefused},
       with_services(cancel, s),
       {},
       BodyKind::payload},
      {"POST",
       "/v1/runs/{run}/retry",
       "retryRun",
       "Go on with a failed run at the step that failed",
       {{200, "How it stands now", "Run"}, kUnknown, kRefused},
       with_services(retry, s),
       {},
       BodyKind::payload},
  };
}

}  // namespace mayfly::admin
