#include "registry/requirement_line.h"

#include <algorithm>
#include <array>
#include <regex>

#include "base/ascii.h"

namespace mayfly::registry {
namespace {

using Kind = RequirementLine::Kind;

constexpr std::string_view kBlank = " \t";
/// Of a line: the expressions below take stack for each character.
constexpr std::size_t kLongest = 4096;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = trimmed(line)).empty()) {
    words.push_back(line.substr(0, line.find_first_of(kBlank)));
    line.remove_prefix(words.back().size());
  }
  return words;
}

/// Python's str.splitlines() breaks at these, and an editor does not. U+0085, U+2028 and U+2029 in UTF-8.
bool has_other_line_breaks(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\r' ? !text.substr(i + 1).starts_with('\n') : c < ' ' && c != '\n' && c != '\t') return true;
  }
  return text.contains("\xc2\x85") || text.contains("\xe2\x80\xa8") || text.contains("\xe2\x80\xa9");
}

/// A mark of UTF-16 or the like at the start, or one of PEP 263 in the first two lines.
bool declares_encoding(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.contains('\0')) return true;
  for (int line = 0; line < 2 && !text.empty(); ++line) {
    const auto one = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    if (one.starts_with('#') && one.contains("coding")) return true;
  }
  return false;
}

/// A comment begins the line, or follows a blank.
std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || kBlank.contains(line[at - 1])) return line.substr(0, at);
  return line;
}

bool is_archive(std::string_view requirement) {
  auto name = trimmed(requirement.substr(0, requirement.find(';')));
  if (name.ends_with(']')) name = trimmed(name.substr(0, name.find('[')));
  constexpr std::array<std::string_view, 13> kEndings{".whl", ".zip",  ".tar",    ".tgz",    ".tbz",
                                                      ".txz", ".tlz",  ".tar.gz", ".tar.xz", ".tar.lz",
                                                      ".egg", ".lzma", ".tar.bz2"};
  const auto low = lower(name);
  return std::ranges::any_of(kEndings, [&](auto ending) { return low.ends_with(ending); });
}

/// Somewhere in the network, if it is one thing and a URL of another scheme than file.
Kind place_of(std::string_view text) {
  const auto low = lower(text);
  return low.contains("://") && !low.contains("file:") ? Kind::remote : Kind::local;
}

/// "--name value", "--name=value", "-n value", "-nvalue", and no more on the line. The name, and the value.
std::optional<std::pair<std::string_view, std::string_view>> one_option(std::string_view line) {
  const auto words = words_of(line);
  const auto& first = words.front();
  std::string_view name;
  std::string_view value;
  if (const auto equals = first.find('='); first.starts_with("--") && equals != std::string_view::npos) {
    name = first.substr(0, equals);
    value = first.substr(equals + 1);
  } else if (!first.starts_with("--") && first.size() > 2) {
    name = first.substr(0, 2);
    value = first.substr(2);
  } else if (words.size() == 2) {
    return std::pair(first, words.back());
  } else {
    name = first;
  }
  if (words.size() > 1) return std::nullopt;
  return std::pair(name, value);
}

RequirementLine read_option(std::string_view line) {
  const auto option = one_option(line);
  if (!option) return {Kind::local};
  const auto& [name, value] = *option;
  const auto is = [&option](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, option->first) != names.end();
  };
  if (is({"-r", "--requirement", "-c", "--constraint"})) {
    if (value.empty() || lower(value).contains("file:")) return {Kind::local};
    if (value.contains("://")) return {Kind::remote};
    return {Kind::include, std::string(value)};
  }
  if (is({"--pre", "--prefer-binary", "--require-hashes"}) && value.empty()) return {Kind::nothing};
  if (is({"--only-binary"})) return {Kind::nothing};
  if (is({"--no-binary", "--no-index", "--trusted-host"})) return {Kind::remote};
  if (is({"-i", "--index-url", "--extra-index-url", "-f", "--find-links"})) return {place_of(value)};
  return {Kind::local};
}

}  // namespace

std::optional<std::vector<std::string>> requirement_lines(std::string_view text) {
  if (declares_encoding(text) || has_other_line_breaks(text)) return std::nullopt;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::string> lines;
  std::string begun;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool comment = trimmed(line).starts_with('#');
    if (line.ends_with('\\') && !comment) {
      begun += line.substr(0, line.size() - 1);
      if (!text.empty()) continue;
      line = {};
    }
    // A comment that ends a joined line is one, also where nothing blank is before it.
    const auto whole = begun + (comment && !begun.empty() ? " " : "") + std::string(line);
    begun.clear();
    if (const auto one = trimmed(without_comment(whole)); !one.empty()) lines.emplace_back(one);
  }
  return lines;
}

RequirementLine read_requirement_line(std::string_view line) {
  line = trimmed(line);
  if (line.empty()) return {Kind::nothing};
  if (line.size() > kLongest) return {Kind::local};
  if (line.starts_with('-')) return read_option(line);
  // A name, extras, versions (in parentheses perhaps), markers; then only hashes.
  static const std::regex kPlain(
      R"([A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[A-Za-z0-9._,\s-]*\])?\s*)"
      R"((\(?\s*(~=|===?|!=|<=?|>=?)[A-Za-z0-9.*+!_\s,<>=~-]*\)?)?\s*(;[A-Za-z0-9_.'"<>=!~()\s+*,-]*)?)");
  static const std::regex kHash(R"(--hash=[a-z0-9]+:[0-9a-f]+)");
  std::string requirement;
  bool hashes = false;
  for (const auto word : words_of(line)) {
    hashes = hashes || word.starts_with('-');
    if (!hashes)
      requirement += (requirement.empty() ? "" : " ") + std::string(word);
    else if (!std::regex_match(word.begin(), word.end(), kHash))
      return {place_of(line)};
  }
  if (is_archive(requirement)) return {place_of(line)};
  return {std::regex_match(requirement, kPlain) ? Kind::plain : place_of(line)};
}

}  // namespace mayfly::registry
