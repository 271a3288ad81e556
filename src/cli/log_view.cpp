#include "cli/log_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mayfly::cli {
namespace {

Style style_of(const std::string& level) {
  if (level == "error") return Style::red;
  if (level == "warn") return Style::yellow;
  if (level == "debug") return Style::dim;
  return Style::cyan;
}

}  // namespace

std::string show_log_line(std::string_view line, const Output& output) {
  const auto record = nlohmann::json::parse(line, nullptr, false);
  if (!record.is_object()) return printable(line);
  if (!record.contains("text")) {
    if (record.contains("dropped"))
      return output.paint(Style::yellow, "… " + record["dropped"].dump() + " lines were lost here");
    return printable(line);
  }
  const auto text_of = [&](const char* key) {
    const auto found = record.find(key);
    return found != record.end() && found->is_string() ? printable(found->get<std::string>()) : std::string();
  };
  const auto time = text_of("time");
  const auto level = text_of("level");
  std::string head = time.size() >= 23 ? time.substr(11, 12) : time;
  std::string origin = record.contains("version") ? "@" + record["version"].dump() : "";
  if (const auto id = text_of("invocation"); !id.empty())
    origin += " " + id.substr(id.size() - std::min<std::size_t>(id.size(), 8));  // it begins with the time
  std::string shown = output.paint(Style::dim, head) + " " + output.paint(style_of(level), level) +
                      std::string(level.size() < 5 ? 5 - level.size() : 0, ' ') + " " +
                      output.paint(Style::dim, origin) + "  " + text_of("text");
  // A line with `dropped` stands for lines that are missing, and says so itself.
  if (record.contains("cut"))
    shown += output.paint(Style::yellow, " … cut, was " + record["cut"].dump() + " bytes");
  return shown;
}

}  // namespace mayfly::cli
