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

namespace {

/// What `pick(name, value)` says is a credential in a field; "" is none.
template <class Pick>
Credential find_credential(std::string_view headers, Pick pick) {
  Credential found;
  for (std::size_t at = 0; at < headers.size() && !found.several;) {
    const auto name_end = headers.find('\0', at);
    const auto value_end = headers.find('\0', name_end + 1);
    const std::string_view text =
        pick(headers.substr(at, name_end - at), headers.substr(name_end + 1, value_end - name_end - 1));
    if (!text.empty()) {
      found.several = !found.text.empty();
      found.text = text;
      found.field = {at, value_end + 1 - at};
    }
    at = value_end + 1;
  }
  return found;
}

}  // namespace

Credential find_key_credential(std::string_view headers) {
  return find_credential(headers, [](std::string_view name, std::string_view value) {
    if (name == "x-api-key") return value;
    const auto token = name == "authorization" ? bearer_of(value) : std::string_view();
    return token.starts_with(kKeyPrefix) ? token : std::string_view();
  });
}

Credential find_token_credential(std::string_view headers) {
  return find_credential(headers, [](std::string_view name, std::string_view value) {
    return name == "authorization" ? bearer_of(value) : std::string_view();
  });
}

}  // namespace mayfly::access
