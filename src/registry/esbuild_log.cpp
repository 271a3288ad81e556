#include "registry/esbuild_log.h"

#include <optional>

#include "registry/tool_log.h"

namespace mayfly::registry {
namespace {

std::optional<EsbuildMessage> parse_head(std::string_view line) {
  for (const auto& [mark, is_error] :
       {std::pair<std::string_view, bool>{"[ERROR] ", true}, {"[WARNING] ", false}}) {
    const auto at = line.find(mark);
    // In front of the mark stands one symbol and a blank: at most 4 bytes of UTF-8 and 1.
    if (at > 5) continue;  // npos, too
    EsbuildMessage message;
    message.is_error = is_error;
    message.text = line.substr(at + mark.size());
    return message;
  }
  return std::nullopt;
}

/// "    src/index.ts:3:5:"
bool parse_place(std::string_view line, EsbuildMessage& message) {
  if (!line.starts_with("    ") || !line.ends_with(':')) return false;
  line = line.substr(4, line.size() - 5);
  const auto column = take_number(line);
  const auto row = column ? take_number(line) : std::nullopt;
  if (!row || line.empty()) return false;
  message.file = line;
  message.line = *row;
  message.column = *column + 1;
  return true;
}

}  // namespace

std::string EsbuildMessage::describe() const {
  if (file.empty()) return text;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + text;
}

std::vector<EsbuildMessage> parse_esbuild_log(std::string_view log) {
  std::vector<EsbuildMessage> messages;
  bool place_wanted = false;  // only the first place belongs to the message, later ones to its notes
  while (!log.empty()) {
    const auto line = take_line(log);
    if (auto head = parse_head(line)) {
      messages.push_back(std::move(*head));
      place_wanted = true;
    } else if (place_wanted && !messages.empty() && parse_place(line, messages.back())) {
      place_wanted = false;
    }
  }
  return messages;
}

}  // namespace mayfly::registry
