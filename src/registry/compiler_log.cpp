#include "registry/compiler_log.h"

#include <algorithm>
#include <array>
#include <optional>

#include "registry/tool_log.h"

namespace mayfly::registry {
namespace {

std::string plain_path(std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  return std::string(path);
}

/// "resize.cpp:12:5: error: text", also without a column or a place at all ("cc1plus: error: text").
std::optional<CompilerMessage> parse_diagnostic(std::string_view line) {
  if (line.starts_with("collect2: ")) return std::nullopt;  // says only that the linker has said something
  for (const auto& [mark, is_error] : {std::pair<std::string_view, bool>{": fatal error: ", true},
                                       {": error: ", true},
                                       {": warning: ", false}}) {
    const auto at = line.find(mark);
    if (at == std::string_view::npos) continue;
    CompilerMessage message{is_error, std::string(line.substr(at + mark.size()))};
    auto place = line.substr(0, at);
    const auto last = take_number(place);
    if (!last) return message;
    const auto first = take_number(place);
    message.file = plain_path(place);
    message.line = first.value_or(*last);
    message.column = first ? *last : 0;
    return message;
  }
  return std::nullopt;
}

/// "/usr/bin/ld: ./resize.cpp:12: undefined reference to `scale()'"; without -g an object and a section stand
/// in the place of file and line.
std::optional<CompilerMessage> parse_linker(std::string_view line) {
  for (const std::string_view mark : {"undefined reference to ", "multiple definition of "}) {
    const auto at = line.find(mark);
    if (at == std::string_view::npos) continue;
    auto text = line.substr(at);
    text = text.substr(0, std::min(text.find("; "), text.size()));  // "; f.o:f.cpp:3: first defined here"
    CompilerMessage message{true, std::string(text)};
    auto place = line.substr(0, at);
    if (const auto program = place.find("ld: "); program != std::string_view::npos)
      place.remove_prefix(program + 4);
    if (!place.ends_with(": ")) return message;
    place.remove_suffix(2);
    const auto number = take_number(place);
    if (!number) return message;
    if (const auto object = place.rfind(".o:"); object != std::string_view::npos)
      place.remove_prefix(object + 3);
    message.file = plain_path(place);
    message.line = *number;
    return message;
  }
  return std::nullopt;
}

}  // namespace

std::string CompilerMessage::describe() const {
  if (file.empty()) return text;
  std::string place = file + ":" + std::to_string(line);
  if (column > 0) place += ":" + std::to_string(column);
  return place + ": " + text;
}

std::vector<CompilerMessage> parse_compiler_log(std::string_view log) {
  std::vector<CompilerMessage> messages;
  while (!log.empty()) {
    const auto line = take_line(log);
    if (auto message = parse_diagnostic(line))
      messages.push_back(std::move(*message));
    else if (auto missing = parse_linker(line))
      messages.push_back(std::move(*missing));
  }
  return messages;
}

}  // namespace mayfly::registry
