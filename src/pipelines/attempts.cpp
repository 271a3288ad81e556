#include "pipelines/attempts.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace mayfly::pipelines {

using events::State;
using nlohmann::json;

namespace {

struct Asked {
  json view;
  std::vector<json*> open{};  ///< objects in it with a "delivery" that has not ended
};

void ask(events::Engine& engine, const std::shared_ptr<Asked>& asked,
         const events::Then<json>& then) {  // one after another: they are few
  if (asked->open.empty()) return then(std::move(asked->view));
  auto& object = *asked->open.back();
  asked->open.pop_back();
  const auto id = events::parse_delivery_id(object.value("delivery", ""));
  if (!id) return ask(engine, asked, then);
  engine.find(*id, [&engine, asked, &object, then](Result<events::DeliveryRecord> record) {
    if (record) put_attempts(object, *record);
    ask(engine, asked, then);
  });
}

}  // namespace

void put_attempts(json& object, const events::DeliveryRecord& record) {
  object["attempt"] = record.attempts + (record.state == State::running ? 1 : 0);
  if (!record.history.empty()) {
    const auto& last = record.history.back();
    object["last_failure"] = {{"type", last.type}, {"message", last.message}};
  }
  if (record.state == State::failed) object["next_attempt"] = timestamp(record.not_before);
}

void add_attempts(events::Engine& engine, json view, events::Then<json> then) {
  auto asked = std::make_shared<Asked>(Asked{std::move(view)});
  for (auto& step : asked->view["steps"]) {
    if (step.contains("attempts") && step.contains("delivery")) asked->open.push_back(&step);
    if (step.contains("calls"))
      for (auto& call : step["calls"]) asked->open.push_back(&call);
  }
  ask(engine, asked, then);
}

}  // namespace mayfly::pipelines
