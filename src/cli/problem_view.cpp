#include "cli/problem_view.h"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/deploy_view.h"

namespace mayfly::cli {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxCodeLine = 160;

std::string text_of(const json& document, const char* member) {
  const auto found = document.find(member);
  return found != document.end() && found->is_string() ? printable(found->get<std::string>()) : "";
}

std::size_t number_of(const json& document, const char* member) {
  const auto found = document.find(member);
  return found != document.end() && found->is_number_unsigned() ? found->get<std::size_t>() : 0;
}

/// The local file that the daemon speaks of: its path is relative to what was deployed, and may begin with
/// the folder where the daemon keeps it.
fs::path local_file(const fs::path& source, const std::string& name) {
  std::error_code ignored;
  if (source.empty() || name.empty()) return {};
  if (fs::is_regular_file(source, ignored))
    return source.filename() == fs::path(name).filename() ? source : fs::path();
  fs::path rest(name);
  while (!rest.empty()) {
    if (rest.is_relative() && fs::is_regular_file(source / rest, ignored)) return source / rest;
    fs::path shorter;
    for (auto part = std::next(rest.begin()); part != rest.end(); ++part) shorter /= *part;
    rest = shorter;
  }
  return {};
}

std::string code_line(const fs::path& file, std::size_t number) {
  std::ifstream stream(file);
  std::string line;
  for (std::size_t i = 0; i < number; ++i)
    if (!std::getline(stream, line)) return {};
  return printable(line);
}

std::string excerpt(const fs::path& file, std::size_t line, std::size_t column, const Output& output) {
  if (file.empty() || line == 0) return {};
  const auto code = code_line(file, line);
  if (code.empty() || code.size() > kMaxCodeLine) return {};
  const std::string number = std::to_string(line);
  std::string text = "  " + output.paint(Style::dim, number + " | ") + code + "\n";
  if (column == 0 || column > code.size() + 1) return text;
  std::string indent(number.size() + 3, ' ');
  // Tabs stay tabs, so that the caret stands where the code does.
  for (std::size_t i = 0; i + 1 < column; ++i) indent += code[i] == '\t' ? '\t' : ' ';
  return text + "  " + indent + output.paint(Style::green, "^") + "\n";
}

std::string indented(const std::string& lines) {
  std::string text = "    ";
  for (const char c : lines) text.append(c == '\n' ? "\n    " : std::string(1, c));
  while (text.ends_with(' ') || text.ends_with('\n')) text.pop_back();
  return text + "\n";
}

/// "file:line:column", as far as they are known (0: not).
std::string at(std::string place, std::size_t line, std::size_t column) {
  if (place.empty() || line == 0) return place;
  place += ":" + std::to_string(line);
  return column > 0 ? place + ":" + std::to_string(column) : place;
}

/// The message has this line of a tool's, perhaps without what the tool begins its lines with ("npm error").
bool is_said(std::string_view line, std::string_view detail) {
  constexpr std::array<std::string_view, 3> kBegins{"npm error", "npm ERR!", "ERROR:"};
  for (const auto begin : kBegins)
    if (line.starts_with(begin)) line.remove_prefix(begin.size());
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
  for (auto rest = detail; !rest.empty();) {
    const auto said = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), said.size() + 1));
    if (said == line || (said.ends_with(line) && said[said.size() - line.size() - 1] == ' ')) return true;
  }
  return line.empty();
}

/// What a tool printed, without the lines that the message has already.
std::string tool_output(const std::string& said, std::string_view detail, const Output& output) {
  std::string lines;
  for (std::string_view rest = said; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!is_said(line, detail)) lines.append(line).append("\n");
  }
  return lines.empty() ? std::string() : "  what was printed:\n" + output.paint(Style::dim, indented(lines));
}

/// What helps with a package that was not found: a file goes alone, without the node_modules beside it.
std::string advice(const std::string& detail, const fs::path& source) {
  std::error_code ignored;
  const bool missing = detail.find("Could not resolve \"") != std::string::npos ||
                       detail.find("Cannot find package '") != std::string::npos ||
                       detail.find("Cannot find module '") != std::string::npos;
  if (!missing || source.empty() || !fs::is_regular_file(source, ignored)) return {};
  return "  A file is deployed alone: to bring node_modules and other files along, deploy its folder\n";
}

}  // namespace

std::string show_problem(const std::string& document_text, const Output& output, const fs::path& source) {
  const auto document = json::parse(document_text, nullptr, false);
  if (!document.is_object()) return printable(document_text) + "\n";
  const auto file = text_of(document, "file");
  const auto line = number_of(document, "line");
  const auto column = number_of(document, "column");
  const auto local = local_file(source, file);
  const auto place = at(local.empty() ? file : local.lexically_normal().string(), line, column);

  const auto title = text_of(document, "title");
  auto detail = text_of(document, "detail");
  if (detail.empty()) detail = title;
  for (const auto& said : {at(file, line, column), at(file, line, 0)})
    if (!said.empty() && detail.starts_with(said + ": ")) detail.erase(0, said.size() + 2);
  std::string text = place.empty() ? "" : output.paint(Style::bold, place + ": ");
  text += output.paint(Style::red, "error: ") + detail + "\n";
  text += excerpt(local, line, column, output);
  if (const auto stack = text_of(document, "stack"); !stack.empty())
    text += output.paint(Style::dim, indented(stack));
  if (const auto logs = document.find("logs"); logs != document.end() && logs->is_array() && !logs->empty()) {
    text += "  the last log lines:\n";
    for (const auto& each : *logs)
      if (each.is_string())
        text += output.paint(Style::dim, "    " + printable(each.get<std::string>())) + "\n";
  }
  text += tool_output(text_of(document, "output"), detail, output);
  if (const auto warnings = document.find("warnings"); warnings != document.end() && warnings->is_array())
    for (const auto& each : *warnings)
      if (each.is_string())
        text += "  " + output.paint(Style::yellow, "warning: ") + printable(each.get<std::string>()) + "\n";
  text += advice(detail, source);
  if (const auto keep = document.find("keep"); keep != document.end())
    text += "  to keep what was: deploy with" + as_options(*keep) + "\n";
  if (!title.empty() && title != detail) text += output.paint(Style::dim, "  " + title) + "\n";
  if (const auto id = text_of(document, "invocation"); !id.empty())
    text += output.paint(Style::dim, "  invocation " + id) + "\n";
  return text;
}

}  // namespace mayfly::cli
