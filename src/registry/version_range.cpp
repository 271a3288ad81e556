#include "registry/version_range.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mayfly::registry {
namespace {

struct Parts {
  std::array<long, 3> numbers{};
  std::size_t given = 0;  ///< of them, before the first wildcard
};

std::optional<Parts> read_parts(std::string_view text) {
  Parts parts;
  bool wild = false;
  for (std::size_t i = 0; i < parts.numbers.size(); ++i) {
    const auto dot = text.find('.');
    const auto part = text.substr(0, dot);
    const auto number = parse_integer(part);
    wild = wild || part == "x" || part == "X" || part == "*";
    if (!wild && (!number || *number < 0)) return std::nullopt;
    if (!wild) parts.numbers.at(parts.given++) = static_cast<long>(*number);
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;  // more than three
}

/// The first `count` numbers are the same.
bool begins_alike(const Parts& a, const Parts& b, std::size_t count) {
  return std::equal(a.numbers.begin(), a.numbers.begin() + static_cast<std::ptrdiff_t>(count),
                    b.numbers.begin());
}

/// npm's "^1.2": up to the next change of the first number that is not 0.
std::size_t fixed_by_caret(const Parts& wanted) {
  std::size_t count = 1;
  while (count < wanted.given && wanted.numbers.at(count - 1) == 0) ++count;
  return count;
}

std::optional<bool> holds(const Parts& version, std::string_view sign, const Parts& wanted) {
  if (wanted.given == 0) return sign.empty() || sign == ">=" ? std::optional(true) : std::nullopt;
  const bool not_less = version.numbers >= wanted.numbers;
  const bool same = begins_alike(version, wanted, wanted.given);
  if (sign.empty() || sign == "=" || sign == "==") return same;
  if (sign == "!=") return !same;
  if (sign == ">=") return not_less;
  if (sign == "<") return !not_less;
  if (sign == ">") return not_less && !same;
  if (sign == "<=") return !not_less || same;
  if (sign == "^") return not_less && begins_alike(version, wanted, fixed_by_caret(wanted));
  if (sign == "~") return not_less && begins_alike(version, wanted, std::min<std::size_t>(wanted.given, 2));
  if (sign == "~=" && wanted.given > 1) return not_less && begins_alike(version, wanted, wanted.given - 1);
  return std::nullopt;
}

/// All terms hold.
std::optional<bool> holds_all(const Parts& version, std::string_view terms) {
  bool all = true;
  bool any = false;
  for (;;) {
    terms.remove_prefix(std::min(terms.find_first_not_of(" ,"), terms.size()));
    if (terms.empty()) return any ? std::optional(all) : std::nullopt;
    const auto sign = terms.substr(0, std::min(terms.find_first_not_of("<>=!~^"), terms.size()));
    terms.remove_prefix(sign.size());
    terms.remove_prefix(std::min(terms.find_first_not_of(' '), terms.size()));
    auto number = terms.substr(0, std::min(terms.find_first_of(" ,<>=!~^"), terms.size()));
    terms.remove_prefix(number.size());
    if (number.starts_with('v')) number.remove_prefix(1);
    const auto wanted = read_parts(number);
    const auto held = wanted ? holds(version, sign, *wanted) : std::nullopt;
    if (!held) return std::nullopt;
    all = all && *held;
    any = true;
  }
}

}  // namespace

std::optional<bool> is_in_range(std::string_view version, std::string_view range) {
  const auto parts = read_parts(version);
  if (!parts || parts->given == 0) return std::nullopt;
  bool some = false;
  for (;;) {
    const auto end = range.find("||");
    const auto held = holds_all(*parts, range.substr(0, end));
    if (!held) return std::nullopt;
    some = some || *held;
    if (end == std::string_view::npos) return some;
    range.remove_prefix(end + 2);
  }
}

}  // namespace mayfly::registry
