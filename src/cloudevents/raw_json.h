// The parts of a JSON text, as they are written: so that what they hold can go on byte for byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::cloudevents {

/// Whether it is JSON (RFC 8259), UTF-8 included, with numbers in a double's range. What follows may be asked
/// only about such texts.
[[nodiscard]] bool is_json(std::string_view text);

struct RawMember {
  std::string name;
  std::string_view value;  ///< part of the text
};
/// The members of an object, in order; names that are there twice are there twice.
[[nodiscard]] std::vector<RawMember> members_of(std::string_view object);
/// The elements of an array.
[[nodiscard]] std::vector<std::string_view> elements_of(std::string_view array);

/// A JSON string's text.
[[nodiscard]] std::string text_of(std::string_view string);
/// A text as a JSON string. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string json_text(std::string_view text);
/// Nothing if it is not UTF-8.
[[nodiscard]] std::optional<std::string> quoted_exactly(std::string_view text);

}  // namespace mayfly::cloudevents
