#include "access/credential.h"

#include <algorithm>

namespace mayfly::access {

std::string_view bearer_of(std::string_view value) {
  constexpr std::string_view kScheme = "bearer ";
  if (value.size() <= kScheme.size()) return {};
  const auto same = [](char given, char wanted) { return (given | 0x20) == wanted || given == wanted; };
  if (!std::ranges::equal(value.substr(0, kScheme.size()), kScheme, same)) return {};
  value.remove_prefix(kScheme.size());
  const auto first = value.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : value.substr(first);
}

Credential find_key_credential(std::string_view headers) {
  Credential found;
  for (std::size_t at = 0; at < headers.size();) {
    const auto name_end = headers.find('\0', at);
    const auto value_end = headers.find('\0', name_end + 1);
    const auto name = headers.substr(at, name_end - at);
    const auto value = headers.substr(name_end + 1, value_end - name_end - 1);
    std::string_view key;
    if (name == "authorization") key = bearer_of(value);
    if (name == "authorization" && !key.starts_with(kKeyPrefix)) key = {};
    if (name == "x-api-key") key = value;
    if (!key.empty()) {
      found.several = !found.text.empty();
      found.text = key;
      found.field = {at, value_end + 1 - at};
      if (found.several) break;
    }
    at = value_end + 1;
  }
  return found;
}

}  // namespace mayfly::access
