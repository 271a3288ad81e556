// Taking URLs and header texts apart.
#pragma once

#include <string>
#include <string_view>

namespace mayfly::python {

/// %XX decoded; what is not two hexadecimal digits stays. `plus`: '+' is a space, as in a query.
[[nodiscard]] std::string percent_decoded(std::string_view text, bool plus);

/// Calls f(name, value) for each of "name NUL value NUL …".
template <typename F>
void for_each_header(std::string_view headers, const F& f) {
  while (!headers.empty()) {
    const auto name_end = headers.find('\0');
    if (name_end == std::string_view::npos) return;
    const auto value_end = headers.find('\0', name_end + 1);
    if (value_end == std::string_view::npos) return;
    f(headers.substr(0, name_end), headers.substr(name_end + 1, value_end - name_end - 1));
    headers.remove_prefix(value_end + 1);
  }
}

}  // namespace mayfly::python
