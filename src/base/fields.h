// Header fields and attributes as they cross the wire and are kept: "name\0value\0…".
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace mayfly {

/// Calls `use` with each name and value, in order. A last name without a value has an empty one.
template <class Use>
void for_each_field(std::string_view fields, Use use) {
  while (!fields.empty()) {
    const auto name = fields.substr(0, fields.find('\0'));
    fields.remove_prefix(std::min(fields.size(), name.size() + 1));
    const auto value = fields.substr(0, fields.find('\0'));
    fields.remove_prefix(std::min(fields.size(), value.size() + 1));
    use(name, value);
  }
}

/// The value of the last field of this name; empty if there is none.
[[nodiscard]] inline std::string_view field_value(std::string_view fields, std::string_view wanted) {
  std::string_view found;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (name == wanted) found = value;
  });
  return found;
}

/// Neither may hold a zero byte.
inline void append_field(std::string& fields, std::string_view name, std::string_view value) {
  fields.append(name).append(1, '\0').append(value).append(1, '\0');
}

}  // namespace mayfly
