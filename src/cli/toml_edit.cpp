#include "cli/toml_edit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/toml_file.h"

namespace mayfly::cli {
namespace {

constexpr const char* kFile = "mayfly.toml";

std::unexpected<Error> refused(const std::string& why, const TomlChange& change) {
  return fail(CliErrc::failed, std::string(kFile) + ": " + why + ": write below [functions." +
                                   change.function + "]\n  " + change.key + " = " + change.value);
}

/// Each with its line end, but perhaps the last.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

/// Where the parser's line and column (code points, from 1 on) are in the text.
std::optional<std::size_t> offset_of(std::string_view text, const toml::source_position& position) {
  std::size_t offset = 0;
  for (toml::source_index line = 1; line < position.line; ++line) {
    const auto end = text.find('\n', offset);
    if (end == std::string_view::npos) return std::nullopt;
    offset = end + 1;
  }
  for (toml::source_index column = 1; column < position.column; ++column) {
    if (offset >= text.size()) return std::nullopt;
    do ++offset;
    while (offset < text.size() && (static_cast<unsigned char>(text[offset]) & 0xC0U) == 0x80U);
  }
  return offset;
}

/// The table of the function that is meant, and its name there.
Result<std::string> name_there(const toml::table& root, const TomlChange& change) {
  const auto* functions = root["functions"].as_table();
  if (functions == nullptr || functions->empty()) return refused("it has no functions", change);
  if (functions->contains(change.function)) return change.function;
  if (functions->size() == 1) return std::string(functions->begin()->first.str());
  return refused("it has no function '" + change.function + "' and more than one other", change);
}

/// What the whole file is to mean.
std::optional<toml::table> wanted(const toml::table& root, const std::string& function,
                                  const TomlChange& change) {
  auto result = root;
  auto value = parse_toml("value = " + change.value, "value");
  auto* table = result["functions"][function].as_table();
  if (!value || table == nullptr || value->size() != 1) return std::nullopt;
  table->insert_or_assign(change.key, std::move(*value->get("value")));
  return result;
}

bool means(const std::string& text, const toml::table& wanted) {
  const auto parsed = parse_toml(text, kFile);
  return parsed && *parsed == wanted;
}

/// "[functions.NAME]", the name perhaps in quotes, and perhaps a comment behind it.
bool is_header(std::string_view line, const std::string& function) {
  std::string bare;
  for (const char c : line.substr(0, line.find('#')))
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '"' && c != '\'') bare += c;
  return bare == "[functions." + function + "]";
}

/// Where a key that is new belongs, in lines from 0 on.
struct Place {
  std::size_t behind;
  std::size_t like;  ///< has the indentation
};

/// Behind the last key that the table has below its header.
Place place_below(const toml::table& table, std::size_t header) {
  Place place{header, header};
  for (const auto& [key, node] : table) {
    const auto* inner = node.as_table();
    if ((inner != nullptr && !inner->is_inline()) || node.is_array_of_tables()) continue;
    const auto end = static_cast<std::size_t>(node.source().end.line) - 1;
    if (end > place.behind) place = {end, static_cast<std::size_t>(key.source().begin.line) - 1};
  }
  return place;
}

std::string with_line(const std::vector<std::string_view>& lines, const Place& place,
                      const TomlChange& change) {
  const std::string_view end = lines.front().ends_with("\r\n") ? "\r\n" : "\n";
  const auto like = lines[place.like];
  const auto indentation = like.substr(0, std::min(like.find_first_not_of(" \t"), like.size()));
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += lines[i];
    if (i != place.behind) continue;
    const bool ended = lines[i].ends_with('\n');
    if (!ended) text += end;
    text.append(indentation).append(change.key).append(" = ").append(change.value);
    if (ended) text += end;
  }
  return text;
}

}  // namespace

Result<std::string> changed_toml(const std::string& text, const TomlChange& change) {
  auto root = parse_toml(text, kFile);
  if (!root) return propagate(root);
  auto function = name_there(*root, change);
  if (!function) return propagate(function);
  const auto result = wanted(*root, *function, change);
  if (!result) return refused("'" + *function + "' is no table", change);
  if (*root == *result) return text;

  const auto& table = *(*root)["functions"][*function].as_table();
  if (const auto* old = table.get(change.key)) {
    const auto begin = offset_of(text, old->source().begin);
    const auto end = offset_of(text, old->source().end);
    if (begin && end && *begin < *end && *end <= text.size()) {
      auto edited = text.substr(0, *begin) + change.value + text.substr(*end);
      if (means(edited, *result)) return edited;
    }
    return refused("the value of " + change.key + " is written in a way that is not changed here", change);
  }
  const auto lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!is_header(lines[i], *function)) continue;
    const auto place = place_below(table, i);
    if (place.behind >= lines.size()) continue;
    auto edited = with_line(lines, place, change);
    if (means(edited, *result)) return edited;
  }
  return refused("'" + *function + "' is written in a way that is not changed here", change);
}

std::string line_diff(std::string_view before, std::string_view after, std::string_view name) {
  constexpr std::size_t kAround = 3;
  const auto old = lines_of(before);
  const auto now = lines_of(after);
  std::size_t first = 0;
  while (first < old.size() && first < now.size() && old[first] == now[first]) ++first;
  if (first == old.size() && first == now.size()) return "";
  std::size_t tail = 0;
  while (first + tail < old.size() && first + tail < now.size() &&
         old[old.size() - 1 - tail] == now[now.size() - 1 - tail])
    ++tail;
  const auto begin = first - std::min(first, kAround);
  const auto after_end = std::min(tail, kAround);
  const auto count = [&](const auto& lines) { return lines.size() - tail + after_end - begin; };
  const auto place = [&](const auto& lines) {
    return std::to_string(begin + (count(lines) == 0 ? 0 : 1)) + "," + std::to_string(count(lines));
  };
  std::string diff = "--- " + std::string(name) + "\n+++ " + std::string(name) + "\n@@ -" + place(old) +
                     " +" + place(now) + " @@\n";
  const auto put = [&](char mark, std::string_view line) {
    diff += mark;
    diff += line.substr(0, line.find_last_not_of("\r\n") + 1);
    diff += '\n';
  };
  for (auto i = begin; i < first; ++i) put(' ', old[i]);
  for (auto i = first; i < old.size() - tail; ++i) put('-', old[i]);
  for (auto i = first; i < now.size() - tail; ++i) put('+', now[i]);
  for (auto i = now.size() - tail; i < now.size() - tail + after_end; ++i) put(' ', now[i]);
  return diff;
}

Result<void> replace_file(const std::string& file, std::string_view before, std::string_view text) {
  std::error_code error;
  const auto real = std::filesystem::canonical(file, error);
  if (error) return fail(error, "find " + file);
  auto current = read_file(real);
  if (!current) return propagate(current);
  if (*current != before) return fail(CliErrc::failed, file + " was changed meanwhile: try again");
  struct stat about{};
  if (::stat(real.c_str(), &about) != 0) return fail_errno("look at " + file);
  const auto temporary = real.string() + ".new-" + std::to_string(::getpid());
  Fd out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return fail_errno("write " + temporary);
  std::string_view rest = text;
  // Whose file it is stays, where we may say so.
  bool good = ::fchown(out.get(), about.st_uid, about.st_gid) == 0 || errno == EPERM;
  good = good && ::fchmod(out.get(), about.st_mode & 07777U) == 0;
  while (good && !rest.empty()) {
    const auto written = ::write(out.get(), rest.data(), rest.size());
    good = written > 0;
    if (good) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  good = good && ::fsync(out.get()) == 0 && ::rename(temporary.c_str(), real.c_str()) == 0;
  if (good) return {};
  auto failure = fail_errno("write " + file);
  ::unlink(temporary.c_str());
  return failure;
}

}  // namespace mayfly::cli
