#include "daemon/event_verdict.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/text.h"
#include "daemon/event_payload.h"
#include "gateway/error.h"
#include "pool/failure.h"
#include "problem/problem.h"
#include "registry/error.h"
#include "router/route_table.h"
#include "scheduler/scheduler.h"

namespace mayfly::daemon {

using events::Verdict;
using nlohmann::json;

namespace {

/// The longest that a function can put off the next attempt.
constexpr std::int64_t kLongestDelay = 86'400;

/// It never came to an instance.
bool was_not_tried(const std::error_code& code) {
  using scheduler::SchedulerErrc;
  return code == SchedulerErrc::queue_full || code == SchedulerErrc::unavailable ||
         code == SchedulerErrc::budget_spent || code == SchedulerErrc::budget_throttled ||
         code == pool::PoolErrc::fork_failed || code == registry::RegistryErrc::unknown_function ||
         code == router::RouterErrc::unknown_function;
}

bool is_hopeless(const std::error_code& code) {
  return code == registry::RegistryErrc::unknown_version || code == router::RouterErrc::unknown_version;
}

std::optional<std::chrono::milliseconds> seconds(std::optional<std::int64_t> count) {
  if (!count || *count < 0) return std::nullopt;
  return std::chrono::seconds(std::min(*count, kLongestDelay));
}

std::string_view header(const admin::InvokeAnswer& answer, std::string_view wanted) {
  for (const auto& [name, value] : answer.headers)
    if (std::ranges::equal(name, wanted, {},
                           [](char c) { return std::tolower(static_cast<unsigned char>(c)); }))
      return value;
  return {};
}

events::Answer kept(const admin::InvokeAnswer& answer) {
  events::Answer result{answer.status, {}, {}};
  for (const auto& [name, value] : answer.headers) append_field(result.headers, name, value);
  if (answer.body.size() <= kMaxKeptAnswer)
    result.body = answer.body;
  else
    append_field(result.headers, "mayfly-not-kept", "too long");
  return result;
}

Verdict failure_of(const Error& error) {
  Verdict verdict;
  verdict.kind = Verdict::Kind::failed;
  if (was_not_tried(error.code)) verdict.kind = Verdict::Kind::not_tried;
  if (is_hopeless(error.code)) verdict.kind = Verdict::Kind::hopeless;
  verdict.type = problem::type(error.code);
  verdict.message = error.message;
  return verdict;
}

/// Whoever made a request learns from its answer what is wrong with it; an event has nobody who would mend
/// it.
bool is_success(const admin::InvokeAnswer& answer, events::Form form) {
  const bool is_request = form == events::Form::request || form == events::Form::payload;
  return is_request ? answer.status < 500 && answer.status != 429 : answer.status < 400;
}

Verdict verdict_of(const admin::InvokeAnswer& answer, events::Form form) {
  Verdict verdict;
  verdict.answer = kept(answer);
  if (is_success(answer, form)) return verdict;
  const bool never = header(answer, "mayfly-retry") == "never";
  verdict.kind = never ? Verdict::Kind::hopeless : Verdict::Kind::failed;
  verdict.type = "status";
  verdict.message = "answered with status " + std::to_string(answer.status);
  verdict.delay = seconds(parse_integer(header(answer, "retry-after")));
  return verdict;
}

/// The bridge's word on single messages: {"retry": [{"id": "…", "delay_s": 30}]}.
void put_partial(std::vector<Verdict>& verdicts, const events::Task& task, const std::string& body) {
  const auto answer = json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains("retry") || !answer["retry"].is_array()) return;
  for (const auto& one : answer["retry"]) {
    if (!one.is_object() || !one.contains("id") || !one["id"].is_string()) continue;
    for (std::size_t i = 0; i < task.items.size(); ++i) {
      if (events::to_text(task.items[i].id) != one["id"].get_ref<const std::string&>()) continue;
      verdicts[i].kind = Verdict::Kind::failed;
      verdicts[i].type = "retry";
      verdicts[i].message = "the function asked for it to be tried again";
      const auto delay = one.find("delay_s");
      if (delay != one.end() && delay->is_number_integer())
        verdicts[i].delay = seconds(delay->get<std::int64_t>());
    }
  }
}

}  // namespace

std::vector<Verdict> verdicts_of(const events::Task& task, const Result<admin::InvokeAnswer>& result,
                                 const std::string& version) {
  const auto form = task.items.front().event->form;
  auto verdict = result ? verdict_of(*result, form) : failure_of(result.error());
  verdict.version = version;
  std::vector<Verdict> verdicts(task.items.size(), verdict);
  Verdict unsent;
  unsent.kind = Verdict::Kind::not_tried;
  std::fill(verdicts.begin() + static_cast<std::ptrdiff_t>(sent_of(task)), verdicts.end(), unsent);
  if (form == events::Form::event && result && verdict.kind == Verdict::Kind::succeeded)
    put_partial(verdicts, task, result->body);
  return verdicts;
}

}  // namespace mayfly::daemon
