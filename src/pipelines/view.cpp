#include "pipelines/view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "events/store.h"

namespace mayfly::pipelines {

using events::Transaction;
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
  ValueReader(Transaction& transaction, json& view) : transaction_(transaction), view_(view) {}

  Result<void> put(json& object, const char* name, const std::string& key) {
    auto text = transaction_.get(key);
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
  Transaction& transaction_;
  json& view_;
  std::size_t left_ = kMostValues;
};

Result<void> put_values(Transaction& transaction, const RunId& run, const Head& head, json& view) {
  ValueReader reader(transaction, view);
  auto done = reader.put(view, "input", input_key(run));
  for (std::size_t i = 0; done && i < head.trace.size(); ++i)
    if (head.trace[i].output) done = reader.put(view["steps"][i], "output", output_key(run, i));
  return done;
}

Result<void> read_view(Transaction& transaction, const RunId& run, bool values, json& view) {
  const auto head_text = transaction.get(head_key(run));
  if (!head_text) return std::unexpected(head_text.error());
  const auto definition_text = transaction.get(definition_key(run));
  if (!definition_text) return std::unexpected(definition_text.error());
  const auto head = head_from_json(head_text->value_or(""));
  const auto stored = stored_definition(run.pipeline, definition_text->value_or(""));
  if (!head || !stored)
    return fail(events::EventsErrc::unknown_run,
                "the pipeline '" + run.pipeline + "' has no run '" + run.id + "', or not any more");
  view = run_view(run, *head, stored->definition);
  return values ? put_values(transaction, run, *head, view) : Result<void>();
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

json run_item(const events::Document& document) {
  constexpr std::string_view kRun = "run/";
  const auto slash = document.key.rfind('/');
  const auto head = head_from_json(document.value);
  if (!document.key.starts_with(kRun) || slash <= kRun.size() || !head) return nullptr;
  const RunId run{document.key.substr(kRun.size(), slash - kRun.size()), document.key.substr(slash + 1)};
  auto item = summary(run, *head);
  if (const auto last = last_step(*head)) item["step"] = head->trace[*last].step;
  return item;
}

events::Decision view_run(RunId run, bool values, std::shared_ptr<json> view) {
  return [run = std::move(run), values, view = std::move(view)](Transaction& transaction) {
    return read_view(transaction, run, values, *view);
  };
}

}  // namespace mayfly::pipelines
