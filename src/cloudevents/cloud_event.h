// An event with the attributes of CloudEvents 1.0 (specification v1.0.2).
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::cloudevents {

struct Attribute {
  std::string name;
  std::string value;  ///< the canonical form of its type, as text: "true", "-5", "2024-05-01T12:00:00Z"
  bool operator==(const Attribute&) const = default;
};

/// Which types an extension's values had is not kept: they are texts, as in HTTP's headers.
struct CloudEvent {
  std::vector<Attribute> attributes{};  ///< in the order in which they came; each name once; never `data`
  std::string data{};                   ///< the bytes that datacontenttype describes; empty: there are none
  bool operator==(const CloudEvent&) const = default;

  /// Null: it has no such attribute.
  [[nodiscard]] const std::string* find(std::string_view name) const;
  /// Empty: it has none.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  void set(std::string_view name, std::string value);
};

inline constexpr std::size_t kMaxAttributes = 100;
inline constexpr std::size_t kMaxNameLength = 64;
inline constexpr std::size_t kMaxAttributeBytes =
    std::size_t{64} * 1024;  ///< of all names and values together

/// Whether it is one: the required attributes are there, names and values are what the specification allows,
/// and there are not too many. bad_event, event_too_large.
[[nodiscard]] Result<void> check(const CloudEvent& event);

/// Whether the data is JSON by its content type: `*/json` or `*/*+json`.
[[nodiscard]] bool has_json_type(const CloudEvent& event);

/// The form in which events are kept: "name\0value\0…". Reading takes back what writing made.
[[nodiscard]] std::string to_fields(const CloudEvent& event);
[[nodiscard]] CloudEvent from_fields(std::string_view fields, std::string data);

}  // namespace mayfly::cloudevents
