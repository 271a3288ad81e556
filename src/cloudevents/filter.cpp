#include "cloudevents/filter.h"

#include <algorithm>

#include "base/fields.h"
#include "cloudevents/attribute.h"
#include "cloudevents/cloud_event.h"

namespace mayfly::cloudevents {
namespace {

std::unexpected<Error> bad(std::string_view attribute, const std::string& why) {
  const std::string name(attribute.substr(0, kMaxNameLength));
  auto error = fail(CloudEventsErrc::bad_filter, "'" + name + "' " + why);
  error.error().with("attribute", name);
  return error;
}

}  // namespace

Result<Filter> Filter::make(const Patterns& patterns) {
  Filter filter;
  for (const auto& [attribute, texts] : patterns) {
    if (attribute == "data") return bad(attribute, "is not an attribute: a filter cannot look into the data");
    if (!is_attribute_name(attribute))
      return bad(attribute, "cannot be an attribute: their names are 1 to 64 lower-case letters and digits");
    if (texts.empty()) return bad(attribute, "has no pattern");
    Condition condition{attribute, {}, {}};
    for (std::string_view text : texts) {
      const bool negated = text.starts_with('!');
      if (negated) text.remove_prefix(1);
      auto pattern = parse(attribute, text);
      if (!pattern) return propagate(pattern);
      (negated ? condition.unwanted : condition.wanted).push_back(std::move(*pattern));
    }
    filter.conditions_.push_back(std::move(condition));
  }
  return filter;
}

Result<Filter::Pattern> Filter::parse(std::string_view attribute, std::string_view text) {
  if (text.empty()) return bad(attribute, "has an empty pattern");
  if (text.starts_with('!')) return bad(attribute, "has a pattern with more than one '!'");
  if (!is_string(text)) return bad(attribute, "has a pattern with a control character");
  Pattern pattern;
  pattern.open_begin = text.starts_with('*');
  if (pattern.open_begin) text.remove_prefix(1);
  pattern.open_end = text.empty() || text.ends_with('*');
  if (text.ends_with('*')) text.remove_suffix(1);
  if (text.contains('*'))
    return bad(attribute,
               "has a pattern with a '*' in its middle: it stands at the beginning, at the end, or at both");
  pattern.text = text;
  return pattern;
}

bool Filter::Pattern::matches(std::string_view value) const {
  if (open_begin && open_end) return value.contains(text);
  if (open_begin) return value.ends_with(text);
  return open_end ? value.starts_with(text) : value == text;
}

bool Filter::Condition::holds(const std::string_view* value) const {
  const auto matches = [&](const Pattern& pattern) { return pattern.matches(*value); };
  if (value == nullptr) return wanted.empty();
  return (wanted.empty() || std::ranges::any_of(wanted, matches)) && std::ranges::none_of(unwanted, matches);
}

bool Filter::matches(std::string_view fields) const {
  return std::ranges::all_of(conditions_, [&](const Condition& condition) {
    std::string_view value;
    bool found = false;
    for_each_field(fields, [&](std::string_view name, std::string_view text) {
      if (name != condition.attribute) return;
      value = text;
      found = true;
    });
    return condition.holds(found ? &value : nullptr);
  });
}

}  // namespace mayfly::cloudevents
