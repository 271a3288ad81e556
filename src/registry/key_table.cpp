#include "registry/key_table.h"

#include <charconv>

#include "base/text.h"

namespace mayfly::registry {
namespace {

constexpr const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::text:
      return "a text";
    case Kind::integer:
      return "a whole number";
    case Kind::boolean:
      return "true or false";
    case Kind::list:
      return "a list of texts";
    case Kind::table:
      return "a table of texts";
    case Kind::number:
      return "a number";
    case Kind::lists:
      return "a table of texts, or of lists of texts";
  }
  return "";
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::unexpected<Error> refused() { return fail(RegistryErrc::bad_config, ""); }

std::unexpected<Error> unknown_key(std::string_view prefix, std::string_view name,
                                   std::span<const std::string_view> names) {
  const auto full_name = std::string(prefix) + std::string(name.substr(0, 80));
  const auto near = nearest(name, names);
  auto error =
      fail(RegistryErrc::bad_config,
           "unknown key '" + full_name + "'" +
               (near.empty() ? "" : " (did you mean '" + std::string(prefix) + std::string(near) + "'?)"));
  error.error().with("key", full_name);
  return error;
}

std::unexpected<Error> bad_value(const std::string& key, const char* allowed, const std::string& why) {
  auto error =
      fail(RegistryErrc::bad_config, key + ": " + (why.empty() ? "" : why + "; ") + "allowed is " + allowed);
  error.error().with("key", key).with("allowed", allowed);
  return error;
}

std::expected<ConfigValue, std::string> as_kind(const ConfigValue& value, Kind kind) {
  if (value.index() == static_cast<std::size_t>(kind)) return value;
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole != nullptr && kind == Kind::number)
    return static_cast<double>(*whole);
  if (const auto* table = std::get_if<Table>(&value); table != nullptr && kind == Kind::lists) {
    Lists lists;
    for (const auto& [name, text] : *table) lists[name] = {text};
    return lists;
  }
  return std::unexpected(std::string("it has to be ") + kind_name(kind));
}

std::expected<ConfigValue, std::string> read_text(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::text:
      return std::string(text);
    case Kind::list:
      return split_list(text);
    case Kind::integer:
      if (const auto number = parse_integer(text)) return *number;
      break;
    case Kind::boolean:
      if (text == "true" || text == "false") return text == "true";
      break;
    case Kind::number:
      if (const auto number = parse_number(text)) return *number;
      break;
    case Kind::table:
    case Kind::lists:
      break;
  }
  return std::unexpected("'" + std::string(text.substr(0, 80)) + "' is not " + kind_name(kind));
}

List split_list(std::string_view text) {
  List items;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

}  // namespace mayfly::registry
