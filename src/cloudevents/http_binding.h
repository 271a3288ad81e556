// CloudEvents in HTTP messages (HTTP Protocol Binding v1.0.2). Fields of a message have the form
// "name\0value\0…" here, with names in lower case.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloudevents/cloud_event.h"

namespace mayfly::cloudevents {

enum class Mode {
  binary,      ///< attributes in ce-* fields, data in the body
  structured,  ///< one event as JSON
  batched,     ///< several as JSON
  plain,       ///< no CloudEvent: any body, of which one is made
};

/// By its content type; else by its ce-* fields: one of those that are required makes it a binary one.
[[nodiscard]] Mode mode_of(std::string_view fields);

/// What a plain body gets where it does not say it in ce-* fields itself.
struct Defaults {
  std::string id{};
  std::string source{};  ///< a URI-reference, like "/topics/orders"
  std::string type = "mayfly.published";
  std::string time{};  ///< RFC 3339; empty: none
};

/// The events of a message: one, or those of a batch. All of them are good: check() is done. bad_event,
/// event_too_large; unsupported_format if it is a CloudEvent in another format than JSON.
[[nodiscard]] Result<std::vector<CloudEvent>> parse_message(std::string_view fields, std::string body,
                                                            const Defaults& defaults);

struct Message {
  std::string fields{};  ///< content-type, and in binary mode the ce-* fields
  std::string body{};
};
[[nodiscard]] Message to_binary(CloudEvent event);
[[nodiscard]] Message to_structured(const CloudEvent& event);
[[nodiscard]] Message to_batched(std::span<const CloudEvent> events);

/// A field's value for an attribute's, and back: percent-encoded, formerly also in double quotes. Error
/// bad_event: an encoding that is cut off. What comes out may be any bytes.
[[nodiscard]] std::string encode_value(std::string_view value);
[[nodiscard]] Result<std::string> decode_value(std::string_view text);

}  // namespace mayfly::cloudevents
