#include "cloudevents/attribute.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/date_time.h"
#include "base/text.h"
#include "cloudevents/cloud_event.h"

namespace mayfly::cloudevents {
namespace {

constexpr std::array<std::string_view, 8> kCore{"id",   "source",  "specversion",     "type",
                                                "time", "subject", "datacontenttype", "dataschema"};

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// The code points of text that is UTF-8; calls `use` with each until it says false.
template <class Use>
bool all_code_points(std::string_view text, Use use) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    char32_t point = length == 1 ? first : first & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k)
      point = point << 6U | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    if (!use(point)) return false;
    i += length;
  }
  return true;
}

bool is_uri_character(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("-._~:/?#[]@!$&'()*+,;=").contains(c);
}

/// What stands before the first ':', if that is before all of "/?#".
std::optional<std::string_view> before_colon(std::string_view text) {
  const auto end = text.find_first_of(":/?#");
  if (end == std::string_view::npos || text[end] != ':') return std::nullopt;
  return text.substr(0, end);
}

bool is_scheme(std::string_view text) {
  const auto allowed = [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  return !text.empty() && is_alpha(text[0]) && std::ranges::all_of(text, allowed);
}

bool is_token_character(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

std::string_view take_token(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, is_token_character);
  const auto token = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(token.size());
  return token;
}

/// "..." with backslashes for what is quoted.
bool take_quoted(std::string_view& text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

void skip_space(std::string_view& text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
}

/// What is wrong with the value of one of the attributes that the specification defines; empty: nothing.
std::string_view core_problem(std::string_view name, std::string_view value) {
  if (value.empty()) return "is empty";
  if (name == "specversion" && value != "1.0") return "has to be 1.0";
  if (name == "source" && !is_uri_reference(value)) return "is no URI-reference (RFC 3986)";
  if (name == "dataschema" && !is_uri(value)) return "is no URI (RFC 3986)";
  if (name == "datacontenttype" && !is_media_type(value)) return "is no media type, like application/json";
  if (name == "time") {
    const auto time = parse_date_time(value);
    if (!time || !time->offset) return "is no timestamp (RFC 3339), like 2030-01-01T10:00:00Z";
  }
  return "";
}

}  // namespace

bool is_attribute_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c); };
  return !name.empty() && name.size() <= kMaxNameLength && name != "data" &&
         std::ranges::all_of(name, allowed);
}

bool is_core_attribute(std::string_view name) { return std::ranges::find(kCore, name) != kCore.end(); }

bool is_string(std::string_view text) {
  if (!is_plain_text(text)) return false;
  return all_code_points(text, [](char32_t c) {
    const bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
    const bool noncharacter = (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffeU) == 0xfffe;
    return !control && !noncharacter;
  });
}

bool is_uri_reference(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded = text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (!encoded && !is_uri_character(text[i])) return false;
  }
  if (std::ranges::count(text, '#') > 1) return false;
  const auto scheme = before_colon(text);
  return !text.empty() && (!scheme || is_scheme(*scheme));
}

bool is_uri(std::string_view text) { return is_uri_reference(text) && before_colon(text).has_value(); }

bool is_media_type(std::string_view text) {
  if (take_token(text).empty() || !text.starts_with('/')) return false;
  text.remove_prefix(1);
  if (take_token(text).empty()) return false;
  while (true) {
    skip_space(text);
    if (text.empty()) return true;
    if (!text.starts_with(';')) return false;
    text.remove_prefix(1);
    skip_space(text);
    if (text.empty() || text.starts_with(';')) continue;  // an empty parameter is common, and harmless
    if (take_token(text).empty() || !text.starts_with('=')) return false;
    text.remove_prefix(1);
    if (text.starts_with('"') ? !take_quoted(text) : take_token(text).empty()) return false;
  }
}

std::string media_type_of(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return std::tolower(c); });
  return type;
}

Result<void> check_name(std::string_view name) {
  if (is_attribute_name(name)) return {};
  return bad_attribute(name, name == "data"
                                 ? "is not an attribute"
                                 : "names of attributes are 1 to 64 lower-case letters and digits");
}

Result<void> check_attribute(std::string_view name, std::string_view value) {
  if (auto named = check_name(name); !named) return named;
  if (!is_string(value)) return bad_attribute(name, "has a control character, or is not UTF-8");
  const auto problem = is_core_attribute(name) ? core_problem(name, value) : "";
  if (!problem.empty()) return bad_attribute(name, problem);
  return {};
}

std::unexpected<Error> bad_attribute(std::string_view name, std::string_view why) {
  // The name may hold anything: it is quoted as far as it is a name.
  const std::string shown(is_string(name) ? name.substr(0, kMaxNameLength) : "an attribute's name");
  auto error = fail(CloudEventsErrc::bad_event, shown + ": " + std::string(why));
  error.error().with("attribute", shown);
  return error;
}

}  // namespace mayfly::cloudevents
