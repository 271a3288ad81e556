// Letters of names that are the same in either case: hosts, header fields, packages.
#pragma once

#include <string>
#include <string_view>

namespace mayfly {

/// A … Z as a … z, whatever the locale; everything else as it is.
[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace mayfly
