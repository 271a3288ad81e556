#include "pipelines/view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "events/store.h"

namespace mayfly::pipelines {

using events::Reader;
using nlohmann::json;

namespace {

constexpr std::size_t kMostValues = std::size_t{4} << 20U;  ///< bytes of JSON

std::string time_text(std::int64_t millis) { return timestamp(WallTime{} + milliseconds(millis)); }

void put_time(json& object, const char* key, std::int64_t millis) {
  if (millis != 0) object[key] = time_text(millis);
}

void put_step(json& object, const Step& step, bool undo) {
  object["kind"] = name_of(step.kind);
  if (step.kind == Step::Kind::function) object["function"] = undo ? step.undo : step.function;
  if (step.kind == Step::Kind::await) object["event"] = step.await;
}

json entry_view(const Entry& entry, const Definition& definition) {
  json object{{"step", entry.step}, {"state", name_of(entry.state)}, {"started", time_text(entry.started)}};
  const auto* step = definition.find(entry.step);
  if (step != nullptr) put_step(object, *step, entry.undo_of.has_value());
  put_time(object, "finished", entry.finished);
  put_time(object, "until", entry.until);
  const bool is_call = step != nullptr && step->kind == Step::Kind::function;
  if (is_call && !entry.delivery.empty()) object["delivery"] = entry.delivery;
  if (is_call && is_open(entry.state)) object["attempts"] = step->delivery.attempts;
  if (entry.items) object["items"] = *entry.items;
  if (entry.items) object["done"] = entry.done;
  if (entry.undo_of) object["undoes"] = *entry.undo_of;
  if (entry.failure) object["error"] = {{"type", entry.failure->type}, {"message", entry.failure->message}};
  return object;
}

json summary(const RunId& run, const Head& head) {
  json object{{"id", run.id},
              {"pipeline", run.pipeline},
              {"revision", head.revision},
              {"state", name_of(head.state)},
              {"started", time_text(head.started)}};
  put_time(object, "finished", head.finished);
  return object;
}

/// Puts values into a view until they become too much.
class ValueReader {
 public:
  ValueReader(Reader& reader, json& view) : reader_(reader), view_(view) {}

  Result<void> put(json& object, const char* name, const std::string& key) {
    auto text = reader_.get(key);
    if (!text) return propagate(text);
    if (!*text) return {};
    if ((*text)->size() > left_) {
      view_["values_left_out"] = true;
      return {};
    }
    left_ -= (*text)->size();
    object[name] = json::parse(**text, nullptr, false);
    return {};
  }

 private:
  Reader& reader_;
  json& view_;
  std::size_t left_ = kMostValues;
};

Result<void> put_values(Reader& reader, const RunId& run, const Head& head, json& view) {
  ValueReader values(reader, view);
  auto done = values.put(view, "input", input_key(run));
  for (std::size_t i = 0; done && i < head.trace.size(); ++i)
    if (head.trace[i].output) done = values.put(view["steps"][i], "output", output_key(run, i));
  return done;
}

/// The first ones of a fan-out that is under way.
Result<void> put_open_calls(Reader& reader, const RunId& run, const Head& head, json& view) {
  constexpr std::size_t kShown = 20;
  const auto last = last_step(head);
  if (!last || head.trace[*last].open == 0) return {};
  const auto prefix = calls_prefix(run, *last);
  const auto calls = reader.list({.prefix = prefix, .limit = kShown});
  if (!calls) return std::unexpected(calls.error());
  auto& shown = view["steps"][*last]["calls"] = json::array();
  for (const auto& [key, delivery] : *calls)
    shown.push_back(
        {{"index", parse_integer(key.substr(prefix.size())).value_or(0)}, {"delivery", delivery}});
  return {};
}

Result<void> read_view(Reader& reader, const RunId& run, bool values, json& view) {
  const auto head_text = reader.get(head_key(run));
  if (!head_text) return std::unexpected(head_text.error());
  const auto definition_text = reader.get(definition_key(run));
  if (!definition_text) return std::unexpected(definition_text.error());
  const auto head = head_from_json(head_text->value_or(""));
  const auto stored = stored_definition(run.pipeline, definition_text->value_or(""));
  if (!head || !stored)
    return fail(events::EventsErrc::unknown_run,
                "the pipeline '" + run.pipeline + "' has no run '" + run.id + "', or not any more");
  view = run_view(run, *head, stored->definition);
  if (auto put = put_open_calls(reader, run, *head, view); !put) return put;
  return values ? put_values(reader, run, *head, view) : Result<void>();
}

}  // namespace

json run_view(const RunId& run, const Head& head, const Definition& definition) {
  auto view = summary(run, head);
  if (head.error) view["error"] = to_json(*head.error);
  if (head.compensated) view["compensated"] = *head.compensated;
  auto& steps = view["steps"] = json::array();
  for (const auto& entry : head.trace) steps.push_back(entry_view(entry, definition));
  if (head.state != RunState::running) return view;
  for (const auto& step : definition.steps) {
    if (std::ranges::find(head.trace, step.name, &Entry::step) != head.trace.end()) continue;
    json pending{{"step", step.name}, {"state", "pending"}};
    put_step(pending, step, false);
    steps.push_back(std::move(pending));
  }
  return view;
}

namespace {

/// Null: what is kept of it is damaged.
json run_item(const RunId& run, std::string_view text) {
  const auto head = head_from_json(text);
  if (!head) return nullptr;
  auto item = summary(run, *head);
  if (const auto last = last_step(*head)) item["step"] = head->trace[*last].step;
  return item;
}

/// A run's place among the others. An id has no '-', what it is called there has one.
Result<std::string> order_of(Reader& reader, const RunId& run) {
  if (run.id.contains('-')) return run.id;
  const auto text = reader.get(head_key(run));
  if (!text) return std::unexpected(text.error());
  const auto head = head_from_json(text->value_or(""));
  if (!head) return fail(events::EventsErrc::unknown_run, "no run '" + run.id + "', or not any more");
  return order_text(head->started, run.id);
}

Result<void> read_page(Reader& reader, const std::string& pipeline, const std::string& before,
                       std::size_t limit, RunPage& page) {
  const auto prefix = order_prefix(pipeline);
  events::DocumentQuery query{.prefix = prefix, .newest_first = true, .limit = limit};
  if (!before.empty()) {
    const auto order = order_of(reader, {pipeline, before});
    if (!order) return std::unexpected(order.error());
    query.before = prefix + *order;
  }
  const auto orders = reader.list(query);
  if (!orders) return std::unexpected(orders.error());
  page = {};
  for (const auto& [key, nothing] : *orders) {
    const auto order = key.substr(prefix.size());
    const RunId run{pipeline, order.substr(order.find('-') + 1)};
    const auto text = reader.get(head_key(run));
    if (!text) return std::unexpected(text.error());
    auto item = run_item(run, text->value_or(""));
    if (item.is_null()) continue;
    page.items.push_back(std::move(item));
    page.orders.push_back(order);
  }
  if (orders->size() == limit) page.last = orders->back().key.substr(prefix.size());
  return {};
}

}  // namespace

events::Look read_runs(std::string pipeline, std::string before, std::size_t limit,
                       std::shared_ptr<RunPage> page) {
  return [pipeline = std::move(pipeline), before = std::move(before), limit, page = std::move(page)](
             Reader& reader) { return read_page(reader, pipeline, before, limit, *page); };
}

events::Look view_run(RunId run, bool values, std::shared_ptr<json> view) {
  return [run = std::move(run), values, view = std::move(view)](Reader& reader) {
    return read_view(reader, run, values, *view);
  };
}

}  // namespace mayfly::pipelines
