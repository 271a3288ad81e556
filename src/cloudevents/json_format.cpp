#include "cloudevents/json_format.h"

#include <limits>
#include <optional>
#include <set>

#include "base/text.h"
#include "cloudevents/attribute.h"
#include "cloudevents/base64.h"
#include "cloudevents/raw_json.h"

namespace mayfly::cloudevents {
namespace {

constexpr std::string_view kData = "data";
constexpr std::string_view kBase64 = "data_base64";

std::unexpected<Error> bad(std::string message) {
  return fail(CloudEventsErrc::bad_event, std::move(message));
}

/// The canonical text of an attribute's JSON value.
Result<std::string> attribute_text(std::string_view name, std::string_view value) {
  if (value.starts_with('"')) return text_of(value);
  if (is_core_attribute(name)) return bad_attribute(name, "has to be a string");
  if (value == "true" || value == "false") return std::string(value);
  const auto number = parse_integer(value);
  if (number && *number >= std::numeric_limits<std::int32_t>::min() &&
      *number <= std::numeric_limits<std::int32_t>::max())
    return std::to_string(*number);
  return bad_attribute(name, "has to be a string, true, false, or a whole number of 32 bits");
}

/// Whether such data is text, which a JSON string can say. That would be taken for JSON itself where the type
/// is JSON.
bool has_text_type(const CloudEvent& event) {
  if (has_json_type(event)) return false;
  const auto type = media_type_of(event.get("datacontenttype"));
  return type.starts_with("text/") || type.ends_with("/xml") || type.ends_with("+xml");
}

Result<void> read_data(CloudEvent& event, const RawMember& member) {
  if (member.name == kBase64) {
    const auto bytes = member.value.starts_with('"') ? decode_base64(text_of(member.value)) : std::nullopt;
    if (!bytes) return bad("data_base64 is no string in Base64");
    event.data = *bytes;
    return {};
  }
  if (event.find("datacontenttype") == nullptr) event.set("datacontenttype", "application/json");
  if (has_json_type(event)) {
    event.data = member.value;
    return {};
  }
  if (member.value == "null") return {};  // some write it for data that is not there
  if (!member.value.starts_with('"'))
    return bad("data has to be a string, for its datacontenttype is not JSON");
  event.data = text_of(member.value);
  return {};
}

/// `object` is JSON.
Result<CloudEvent> read_event(std::string_view object) {
  if (!object.starts_with('{')) return bad("an event is a JSON object");
  CloudEvent event;
  std::optional<RawMember> data;
  std::set<std::string, std::less<>> names;
  for (auto& member : members_of(object)) {
    if (!names.insert(member.name).second) return bad_attribute(member.name, "is there twice");
    if (member.name == kData || member.name == kBase64) {
      if (member.name == kBase64 && member.value == "null") continue;
      if (data) return bad("data and data_base64 are both there");
      data = std::move(member);
    } else if (member.value != "null") {
      if (auto named = check_name(member.name); !named) return propagate(named);
      auto text = attribute_text(member.name, member.value);
      if (!text) return propagate(text);
      event.attributes.push_back({std::move(member.name), std::move(*text)});
    }
  }
  if (auto checked = check(event); !checked) return propagate(checked);
  if (data)
    if (auto read = read_data(event, *data); !read) return propagate(read);
  return event;
}

}  // namespace

Result<CloudEvent> parse_json(std::string_view text) {
  if (!is_json(text)) return bad("the event cannot be read as JSON");
  return read_event(trimmed(text));
}

Result<std::vector<CloudEvent>> parse_json_batch(std::string_view text) {
  if (!is_json(text) || !trimmed(text).starts_with('[')) return bad("a batch of events is a JSON array");
  const auto elements = elements_of(trimmed(text));
  if (elements.size() > kMaxBatch)
    return std::unexpected(Error{CloudEventsErrc::event_too_large,
                                 "a batch has at most " + std::to_string(kMaxBatch) + " events",
                                 {{"limit", std::to_string(kMaxBatch)}}});
  std::vector<CloudEvent> events;
  for (const auto element : elements) {
    auto event = read_event(element);
    if (!event) {
      const auto number = std::to_string(events.size() + 1);
      event.error().message = "event " + number + " of the batch: " + event.error().message;
      event.error().with("event", number);
      return propagate(event);
    }
    events.push_back(std::move(*event));
  }
  return events;
}

std::string to_json(const CloudEvent& event) {
  std::string text = "{";
  for (const auto& [name, value] : event.attributes)
    text.append(text.size() == 1 ? "" : ",").append(json_text(name)).append(":").append(json_text(value));
  if (!event.data.empty()) {
    text.append(text.size() == 1 ? "" : ",");
    const auto string = has_text_type(event) ? quoted_exactly(event.data) : std::nullopt;
    if (has_json_type(event) && is_json(event.data))
      text.append("\"data\":").append(event.data);
    else if (string)
      text.append("\"data\":").append(*string);
    else
      text.append("\"data_base64\":\"").append(encode_base64(event.data)).append("\"");
  }
  return text + "}";
}

std::string to_json_batch(std::span<const CloudEvent> events) {
  std::string text = "[";
  for (const auto& event : events) text.append(text.size() == 1 ? "" : ",").append(to_json(event));
  return text + "]";
}

}  // namespace mayfly::cloudevents
