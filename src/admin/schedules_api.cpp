// Schedules: when they run next, running one now, stopping it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/event_queues.h"
#include "base/text.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using events::ScheduleView;
using nlohmann::json;

namespace {

awaitable<Result<std::vector<ScheduleView>>> all_schedules(const Services& services) {
  auto asking = await_then<std::vector<ScheduleView>>(
      services.control, [&services](events::Then<std::vector<ScheduleView>> then) {
        services.events.schedules(std::move(then));
      });
  co_return co_await std::move(asking);
}

json schedule_json(const ScheduleView& schedule) {
  json item{{"schedule", schedule.name},
            {"function", schedule.function},
            {"when", schedule.text},
            {"timezone", schedule.timezone},
            {"paused", schedule.paused}};
  if (schedule.next) item["next"] = timestamp(*schedule.next);
  if (schedule.last) item["last"] = timestamp(*schedule.last);
  return item;
}

awaitable<Result<Response>> list(const Services& services, Request&) {
  auto asking = all_schedules(services);
  auto schedules = co_await std::move(asking);
  if (!schedules) co_return propagate(schedules);
  json items = json::array();
  for (const auto& schedule : *schedules) items.push_back(schedule_json(schedule));
  const json body{{"schedules", std::move(items)}};
  co_return json_response(body);
}

/// The one that has this name, or that this function has; it must not have several.
Result<ScheduleView> pick(const std::vector<ScheduleView>& all, const std::string& given) {
  std::vector<std::string_view> names;
  std::vector<const ScheduleView*> fitting;
  for (const auto& schedule : all) {
    if (schedule.name == given) return schedule;
    if (schedule.function == given) fitting.push_back(&schedule);
    names.push_back(schedule.function);
  }
  if (fitting.size() == 1) return *fitting.front();
  if (fitting.empty())
    return fail(events::EventsErrc::unknown_queue,
                "no schedule '" + given + "'" + did_you_mean(given, names));
  std::string which;
  for (const auto* one : fitting) which += (which.empty() ? "'" : ", '") + one->name + "'";
  return fail(AdminErrc::invalid_parameter, "'" + given + "' has several schedules: " + which);
}

awaitable<Result<ScheduleView>> wanted(const Services& services, const Request& request) {
  auto asking = all_schedules(services);
  auto schedules = co_await std::move(asking);
  if (!schedules) co_return propagate(schedules);
  co_return pick(*schedules, request.param("schedule"));
}

awaitable<Result<Response>> run(const Services& services, Request& request) {
  auto finding = wanted(services, request);
  auto schedule = co_await std::move(finding);
  if (!schedule) co_return propagate(schedule);
  using Accepted = std::vector<events::Accepted>;
  auto running =
      await_then<Accepted>(services.control, [&services, name = schedule->name](events::Then<Accepted> then) {
        services.events.run_schedule(name, std::move(then));
      });
  auto accepted = co_await std::move(running);
  if (!accepted) co_return propagate(accepted);
  const auto& event = *accepted->front().event;
  const auto id = events::to_text({event.stream, event.position, 0, event.check});
  const json body{{"schedule", schedule->name}, {"function", schedule->function}, {"invocation", id}};
  Response response = json_response(body, 202);
  response.headers.emplace_back("Location", "/v1/invocations/" + id);
  co_return response;
}

awaitable<Result<Response>> pause(const Services& services, Request& request, bool paused) {
  auto finding = wanted(services, request);
  auto schedule = co_await std::move(finding);
  if (!schedule) co_return propagate(schedule);
  auto asking =
      await_then<void>(services.control, [&services, name = schedule->name, paused](events::Then<void> then) {
        services.events.pause(name, paused, std::move(then));
      });
  auto done = co_await std::move(asking);
  if (!done) co_return propagate(done);
  schedule->paused = paused;
  const json body = schedule_json(*schedule);
  co_return json_response(body);
}

awaitable<Result<Response>> pause_schedule(const Services& services, Request& request) {
  return pause(services, request, true);
}

awaitable<Result<Response>> resume_schedule(const Services& services, Request& request) {
  return pause(services, request, false);
}

}  // namespace

std::vector<Route> schedule_routes(const Services& s) {
  return {
      {"GET",
       "/v1/schedules",
       "listSchedules",
       "The schedules of functions, with their next times",
       {{200, "By name", "Schedules"}},
       with_services(list, s)},
      {"POST",
       "/v1/schedules/{schedule}/run",
       "runSchedule",
       "Run it now, besides its times; a function's name will do if it has one schedule",
       {{202, "It is accepted, and runs soon", "ScheduleRun"}},
       with_services(run, s)},
      {"POST",
       "/v1/schedules/{schedule}/pause",
       "pauseSchedule",
       "Let its times pass until it is resumed",
       {{200, "It is paused, also after a restart", "Schedule"}},
       with_services(pause_schedule, s)},
      {"POST",
       "/v1/schedules/{schedule}/resume",
       "resumeSchedule",
       "Go on with a schedule that was paused",
       {{200, "It goes on", "Schedule"}},
       with_services(resume_schedule, s)},
  };
}

}  // namespace mayfly::admin
