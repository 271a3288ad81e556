#include "router/route_fields.h"

#include <algorithm>

#include "base/fields.h"

namespace mayfly::router {
namespace {

/// What a query would take for something else, or a field may not have.
bool is_escaped(char c) {
  return c == '&' || c == '=' || c == '+' || static_cast<unsigned char>(c) <= 0x20 ||
         static_cast<unsigned char>(c) >= 0x7f;
}

void append_escaped(std::string& query, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  query.append({'%', kDigits[byte >> 4U], kDigits[byte & 15U]});
}

void append_parameter(std::string& query, std::string_view name, std::string_view value) {
  if (!query.ends_with('\0')) query.push_back('&');
  query.append(name).push_back('=');
  for (const char c : value) {
    if (is_escaped(c))
      append_escaped(query, c);
    else
      query.push_back(c);
  }
}

}  // namespace

std::string route_key(const Route& route) {
  std::string key = route.method.empty() ? "ANY " : route.method + " ";
  for (const auto& segment : route.segments)
    key.append("/").append(segment.starts_with(':') ? "{" + segment.substr(1) + "}" : segment);
  if (route.tail) key.append("/{").append(kTail).append("+}");
  if (key.ends_with(' ')) key.push_back('/');
  return key;
}

void append_route_fields(const Route& route, std::string_view target, std::string& fields) {
  append_field(fields, "mayfly-route", route.key);
  if (!route.has_parameters) return;
  fields.append("mayfly-path-parameters").push_back('\0');
  auto path = target.substr(0, target.find_first_of("?#"));
  for (const auto& segment : route.segments) {
    path.remove_prefix(std::min<std::size_t>(path.size(), 1));  // the '/'
    const auto part = path.substr(0, path.find('/'));
    if (segment.starts_with(':')) append_parameter(fields, std::string_view(segment).substr(1), part);
    path.remove_prefix(part.size());
  }
  if (route.tail) append_parameter(fields, kTail, path.substr(std::min<std::size_t>(path.size(), 1)));
  fields.push_back('\0');
}

}  // namespace mayfly::router
