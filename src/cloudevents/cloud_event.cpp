#include "cloudevents/cloud_event.h"

#include <array>

#include "base/fields.h"
#include "cloudevents/attribute.h"

namespace mayfly::cloudevents {
namespace {

constexpr std::array<std::string_view, 4> kRequired{"specversion", "id", "source", "type"};

Result<void> check_size(const CloudEvent& event) {
  if (event.attributes.size() > kMaxAttributes)
    return std::unexpected(Error{CloudEventsErrc::event_too_large,
                                 "an event has at most " + std::to_string(kMaxAttributes) + " attributes",
                                 {{"limit", std::to_string(kMaxAttributes)}}});
  std::size_t bytes = 0;
  for (const auto& [name, value] : event.attributes) bytes += name.size() + value.size();
  if (bytes <= kMaxAttributeBytes) return {};
  return std::unexpected(
      Error{CloudEventsErrc::event_too_large,
            "the attributes of an event have at most " + std::to_string(kMaxAttributeBytes) + " bytes",
            {{"limit", std::to_string(kMaxAttributeBytes)}}});
}

}  // namespace

const std::string* CloudEvent::find(std::string_view name) const {
  const auto found = std::ranges::find(attributes, name, &Attribute::name);
  return found == attributes.end() ? nullptr : &found->value;
}

std::string_view CloudEvent::get(std::string_view name) const {
  const auto* value = find(name);
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

void CloudEvent::set(std::string_view name, std::string value) {
  const auto found = std::ranges::find(attributes, name, &Attribute::name);
  if (found == attributes.end())
    attributes.push_back({std::string(name), std::move(value)});
  else
    found->value = std::move(value);
}

Result<void> check(const CloudEvent& event) {
  if (auto checked = check_size(event); !checked) return checked;
  for (auto attribute = event.attributes.begin(); attribute != event.attributes.end(); ++attribute) {
    if (std::ranges::find(event.attributes.begin(), attribute, attribute->name, &Attribute::name) !=
        attribute)
      return bad_attribute(attribute->name, "is there twice");
    if (auto checked = check_attribute(attribute->name, attribute->value); !checked) return checked;
  }
  for (const auto name : kRequired)
    if (event.find(name) == nullptr) return bad_attribute(name, "is missing");
  return {};
}

bool has_json_type(const CloudEvent& event) {
  const auto type = media_type_of(event.get("datacontenttype"));
  return type.ends_with("/json") || (type.contains('/') && type.ends_with("+json"));
}

std::string to_fields(const CloudEvent& event) {
  std::string fields;
  for (const auto& [name, value] : event.attributes) append_field(fields, name, value);
  return fields;
}

CloudEvent from_fields(std::string_view fields, std::string data) {
  CloudEvent event;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    event.attributes.push_back({std::string(name), std::string(value)});
  });
  event.data = std::move(data);
  return event;
}

}  // namespace mayfly::cloudevents
