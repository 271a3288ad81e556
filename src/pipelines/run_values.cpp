#include "pipelines/run_values.h"

#include <nlohmann/json.hpp>

namespace mayfly::pipelines {

using nlohmann::json;

/// Parsed when a path leads into it.
struct RunValues::Document {
  std::string text;
  std::optional<json> parsed{};

  const json& value() {
    if (!parsed) parsed = json::parse(text, nullptr, false);
    return *parsed;
  }
};

namespace {

/// Whether it has given something that others can refer to: waits and branches have not.
bool has_output(const Entry& entry) {
  return !entry.undo_of && entry.state == EntryState::succeeded && entry.output;
}

}  // namespace

RunValues::RunValues(events::Transaction& transaction, const RunId& run, const Head& head)
    : transaction_(transaction), run_(run), head_(head) {}

RunValues::~RunValues() = default;

void RunValues::set_item(std::string text, std::size_t index) {
  own("item", std::move(text));
  own("index", std::to_string(index));
}

/// Nothing is kept under names without '/' but what is the run's own.
RunValues::Document* RunValues::own(const std::string& name, std::string text) {
  auto& document = documents_[name];
  document = std::make_unique<Document>(Document{std::move(text)});
  return document.get();
}

Result<RunValues::Document*> RunValues::stored(const std::string& key) {
  const auto known = documents_.find(key);
  if (known != documents_.end()) return known->second.get();
  auto text = transaction_.get(key);
  if (!text) return propagate(text);
  return own(key, text->value_or("null"));
}

/// The last output of a step; "": of any.
std::optional<std::size_t> RunValues::latest_output(std::string_view step) const {
  for (auto i = head_.trace.size(); i > 0; --i)
    if (has_output(head_.trace[i - 1]) && (step.empty() || head_.trace[i - 1].step == step)) return i - 1;
  return std::nullopt;
}

Result<RunValues::Place> RunValues::place_of(const Path& path) {
  const auto root = path.name_at(0);
  const auto found = [](Result<Document*> document, std::size_t from) -> Result<Place> {
    if (!document) return propagate(document);
    return Place{*document, from};
  };
  if (root == "input") return found(stored(input_key(run_)), 1);
  if (root == "previous" || (root == "steps" && !path.name_at(1).empty())) {
    const auto entry = latest_output(root == "steps" ? path.name_at(1) : std::string_view());
    if (entry) return found(stored(output_key(run_, *entry)), root == "steps" ? 2 : 1);
    return root == "steps" ? Place{nullptr, 0} : found(stored(input_key(run_)), 1);
  }
  if (root == "item" || root == "index") {
    const auto known = documents_.find(std::string(root));
    return Place{known == documents_.end() ? nullptr : known->second.get(), 1};
  }
  if (root == "error" && head_.caught) return Place{own("error", text_of(to_json(*head_.caught))), 1};
  if (root == "run") return Place{own("run", text_of({{"id", run_.id}, {"pipeline", run_.pipeline}})), 1};
  return Place{nullptr, 0};
}

Result<std::optional<std::string>> RunValues::text_at(const Path& path) {
  auto place = place_of(path);
  if (!place) return propagate(place);
  if (place->document == nullptr) return std::nullopt;
  if (path.segments().size() == place->from) return place->document->text;
  const auto* value = path.find(place->document->value(), place->from);
  if (value == nullptr) return std::nullopt;
  return text_of(*value);
}

Result<const json*> RunValues::find(const Path& path) {
  auto place = place_of(path);
  if (!place) return propagate(place);
  if (place->document == nullptr) return nullptr;
  return path.find(place->document->value(), place->from);
}

Result<std::string> RunValues::previous() {
  const auto entry = latest_output({});
  auto document = stored(entry ? output_key(run_, *entry) : input_key(run_));
  if (!document) return propagate(document);
  return (*document)->text;
}

}  // namespace mayfly::pipelines
