#include "cloudevents/http_binding.h"

#include <array>
#include <optional>

#include "base/fields.h"
#include "cloudevents/attribute.h"
#include "cloudevents/json_format.h"

namespace mayfly::cloudevents {
namespace {

constexpr std::string_view kPrefix = "ce-";
constexpr std::string_view kContentType = "content-type";
constexpr std::string_view kEventType = "application/cloudevents";
constexpr std::string_view kStructured = "application/cloudevents+json";
constexpr std::string_view kBatched = "application/cloudevents-batch+json";
constexpr std::array<std::string_view, 4> kRequired{"ce-specversion", "ce-id", "ce-source", "ce-type"};

std::string_view content_type_of(std::string_view fields) {
  std::string_view type;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (name == kContentType) type = value;
  });
  return type;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::unexpected<Error> bad(std::string message) {
  return fail(CloudEventsErrc::bad_event, std::move(message));
}

/// Double quotes go, and the backslashes in them (RFC 9110, section 5.6.4).
Result<std::string> unquoted(std::string_view text) {
  std::string plain;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      inside = !inside;
    } else if (inside && text[i] == '\\') {
      if (++i == text.size()) break;
      plain += text[i];
    } else {
      plain += text[i];
    }
  }
  if (inside) return bad("a double quote is not closed");
  return plain;
}

/// The attributes that are in ce-* fields, and the content type.
Result<CloudEvent> read_fields(std::string_view fields) {
  CloudEvent event;
  std::optional<Error> error;
  for_each_field(fields, [&](std::string_view field, std::string_view text) {
    if (error || (field != kContentType && !field.starts_with(kPrefix))) return;
    const bool is_type = field == kContentType;
    const auto name = is_type ? std::string_view("datacontenttype") : field.substr(kPrefix.size());
    auto value = is_type ? Result<std::string>(std::string(text)) : decode_value(text);
    if (!is_type && name == "datacontenttype")
      error = bad_attribute(name, "belongs into Content-Type, not into a field of its own").error();
    else if (event.find(name) != nullptr)
      error = bad_attribute(name, "is there twice").error();
    else if (!value)
      error = bad_attribute(name, value.error().message).error();
    else if (auto checked = check_attribute(name, *value); !checked)
      error = std::move(checked.error());
    else
      event.attributes.push_back({std::string(name), std::move(*value)});
    if (event.attributes.size() > kMaxAttributes) error = check(event).error();
  });
  if (error) return std::unexpected(std::move(*error));
  return event;
}

Result<CloudEvent> read_single(std::string_view fields, std::string body, const Defaults* defaults) {
  auto event = read_fields(fields);
  if (!event) return event;
  if (defaults != nullptr) {
    event->set("specversion", "1.0");
    const auto add = [&](std::string_view name, const std::string& value) {
      if (!value.empty() && event->find(name) == nullptr) event->set(name, value);
    };
    add("id", defaults->id);
    add("source", defaults->source);
    add("type", defaults->type);
    add("time", defaults->time);
  }
  event->data = std::move(body);
  if (auto checked = check(*event); !checked) return propagate(checked);
  return event;
}

std::vector<CloudEvent> only(CloudEvent event) {
  std::vector<CloudEvent> events;
  events.push_back(std::move(event));
  return events;
}

Message with_type(std::string_view type, std::string body) {
  Message message;
  append_field(message.fields, kContentType, type);
  message.body = std::move(body);
  return message;
}

}  // namespace

Mode mode_of(std::string_view fields) {
  const auto type = media_type_of(content_type_of(fields));
  if (type.starts_with("application/cloudevents-batch")) return Mode::batched;
  if (type.starts_with(kEventType)) return Mode::structured;
  bool binary = false;
  for_each_field(fields, [&](std::string_view name, std::string_view) {
    binary |= std::ranges::find(kRequired, name) != kRequired.end();
  });
  return binary ? Mode::binary : Mode::plain;
}

Result<std::vector<CloudEvent>> parse_message(std::string_view fields, std::string body,
                                              const Defaults& defaults) {
  const auto mode = mode_of(fields);
  if (mode == Mode::binary || mode == Mode::plain) {
    auto event = read_single(fields, std::move(body), mode == Mode::plain ? &defaults : nullptr);
    if (!event) return propagate(event);
    return only(std::move(*event));
  }
  const auto type = media_type_of(content_type_of(fields));
  if (type != kStructured && type != kBatched)
    return fail(CloudEventsErrc::unsupported_format, "events are taken as " + std::string(kStructured) +
                                                         " or " + std::string(kBatched) +
                                                         ", and in binary mode");
  if (mode == Mode::batched) return parse_json_batch(body);
  auto event = parse_json(body);
  if (!event) return propagate(event);
  return only(std::move(*event));
}

Message to_binary(CloudEvent event) {
  Message message;
  for (const auto& [name, value] : event.attributes) {
    if (name == "datacontenttype")
      append_field(message.fields, kContentType, value);
    else
      append_field(message.fields, std::string(kPrefix) + name, encode_value(value));
  }
  message.body = std::move(event.data);
  return message;
}

Message to_structured(const CloudEvent& event) { return with_type(kStructured, to_json(event)); }

Message to_batched(std::span<const CloudEvent> events) { return with_type(kBatched, to_json_batch(events)); }

std::string encode_value(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '"' && c != '%')
      text += c;
    else
      text.append(1, '%').append(1, kDigits[byte >> 4U]).append(1, kDigits[byte & 0xfU]);
  }
  return text;
}

Result<std::string> decode_value(std::string_view text) {
  const auto plain = unquoted(text);
  if (!plain) return plain;
  std::string value;
  for (std::size_t i = 0; i < plain->size(); ++i) {
    if ((*plain)[i] != '%') {
      value += (*plain)[i];
      continue;
    }
    const int high = i + 1 < plain->size() ? hex_value((*plain)[i + 1]) : -1;
    const int low = i + 2 < plain->size() ? hex_value((*plain)[i + 2]) : -1;
    if (high < 0 || low < 0) return bad("has a % without two hexadecimal digits behind it");
    value += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return value;
}

}  // namespace mayfly::cloudevents
