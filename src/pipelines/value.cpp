#include "pipelines/value.h"

#include <nlohmann/json.hpp>

#include "base/json_depth.h"
#include "base/text.h"
#include "cloudevents/raw_json.h"
#include "events/store.h"

namespace mayfly::pipelines {
namespace {

std::unexpected<Failure> too_large() {
  return std::unexpected(Failure{"pipelines:too-large", "it is larger than " + size_in_words(kMaxValue)});
}

}  // namespace

std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::expected<std::string, Failure> to_value(std::string_view body) {
  if (body.empty()) return "null";
  if (body.size() > kMaxValue) return too_large();
  if (cloudevents::is_json(body)) {
    if (nests_at_most(body, kMaxDepth)) return std::string(body);
    return std::unexpected(Failure{"pipelines:too-deep", "more than " + std::to_string(kMaxDepth) +
                                                             " lists and objects are in each other"});
  }
  auto text = cloudevents::quoted_exactly(body);
  if (!text) return std::unexpected(Failure{"pipelines:not-text", "it is neither JSON nor other UTF-8 text"});
  if (text->size() > kMaxValue) return too_large();
  return std::move(*text);
}

Result<void> check_value(std::string_view body) {
  const auto value = to_value(body);
  if (value) return {};
  auto error = fail(events::EventsErrc::bad_value, "the body cannot be used: " + value.error().message);
  error.error().with("reason", value.error().type);
  return error;
}

}  // namespace mayfly::pipelines
