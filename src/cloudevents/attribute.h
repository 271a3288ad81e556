// The rules for single attributes: names, and the types that values can have.
#pragma once

#include <string>
#include <string_view>

#include "cloudevents/error.h"

namespace mayfly::cloudevents {

/// Lower-case letters and digits, at most kMaxNameLength; not `data`.
[[nodiscard]] bool is_attribute_name(std::string_view name);
/// One that the specification itself defines.
[[nodiscard]] bool is_core_attribute(std::string_view name);
/// UTF-8 without control characters and noncharacters: the type String.
[[nodiscard]] bool is_string(std::string_view text);
/// The types URI-reference and URI (RFC 3986): characters, percent-encoding and the scheme are looked at.
[[nodiscard]] bool is_uri_reference(std::string_view text);
[[nodiscard]] bool is_uri(std::string_view text);
/// "type/subtype; name=value" (RFC 2046 with RFC 2045's grammar).
[[nodiscard]] bool is_media_type(std::string_view text);
/// "Application/JSON; charset=utf-8" → "application/json"
[[nodiscard]] std::string media_type_of(std::string_view content_type);

/// bad_event; detail `attribute`.
[[nodiscard]] Result<void> check_name(std::string_view name);
/// A name and a value. As check_name().
[[nodiscard]] Result<void> check_attribute(std::string_view name, std::string_view value);

/// The error for one of an event's attributes: "NAME: what is wrong".
[[nodiscard]] std::unexpected<Error> bad_attribute(std::string_view name, std::string_view why);

}  // namespace mayfly::cloudevents
