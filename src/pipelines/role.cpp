#include "pipelines/role.h"

#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/json_depth.h"
#include "base/text.h"
#include "cloudevents/json_format.h"
#include "pipelines/decisions.h"
#include "pipelines/step_event.h"
#include "pipelines/value.h"

namespace mayfly::pipelines {

using events::Form;
using nlohmann::json;

namespace {

class Role final : public events::QueueRole {
 public:
  explicit Role(std::string pipeline) : pipeline_(std::move(pipeline)) {}

  events::Policy policy(const events::Event& event, const events::Policy& queue) const override {
    return event.form == Form::step ? policy_of(event, queue) : queue;
  }
  events::Decision decision(const events::EventPtr& event, const events::DeliveryId& id,
                            const events::Outcome& end) const override {
    if (event->form != Form::step) {
      if (end.state != events::State::succeeded) return {};
      return start({pipeline_, events::to_text(id)}, input_of(*event));
    }
    return step_ended(*event, end);
  }

 private:
  std::string pipeline_;
};

std::string schedule_input(const events::NewEvent& event) {
  json input = json::object();
  for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    const auto millis = name == "time" ? parse_integer(value) : std::nullopt;
    input[name] = millis ? timestamp(WallTime{} + milliseconds(*millis)) : std::string(value);
  });
  auto payload = nests_at_most(event.body, kMaxDepth) ? json::parse(event.body, nullptr, false)
                                                      : json(json::value_t::discarded);
  if (!event.body.empty()) input["payload"] = payload.is_discarded() ? json(event.body) : std::move(payload);
  return text_of(input);
}

}  // namespace

std::shared_ptr<const events::QueueRole> queue_role(std::string pipeline) {
  return std::make_shared<Role>(std::move(pipeline));
}

bool is_call(const events::NewEvent& event) { return event.form == Form::step && !is_timer(event); }

std::string input_of(const events::NewEvent& event) {
  return event.form == Form::schedule ? schedule_input(event) : event.body;
}

}  // namespace mayfly::pipelines
