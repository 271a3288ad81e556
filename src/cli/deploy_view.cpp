#include "cli/deploy_view.h"

#include <nlohmann/json.hpp>

namespace mayfly::cli {

using nlohmann::json;

namespace {

/// As one word of a shell.
std::string quoted(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  return in_quotes(text);
}

std::string from_to(const json& change) {
  const auto value = [&](const char* member) { return printable(change.value(member, "")); };
  const auto kind = change.value("kind", "");
  if (!change.contains("before") && !change.contains("after")) {  // a variable's value, which is not shown
    if (kind == "lost") return "is not set any more";
    return kind == "added" ? "is set" : "is another";
  }
  const auto before = value("before");
  const auto after = value("after");
  return (before.empty() ? "none" : before) + " -> " + (after.empty() ? "none" : after);
}

std::string consequence(const json& change) {
  if (change.value("key", "") == "access" && change.value("after", "") == "public")
    return ": everyone may call it";
  return "";
}

bool is_warning(const json& change) {
  const auto kind = change.value("kind", "");
  return kind == "lost" || kind == "weakened";
}

}  // namespace

std::string as_options(const json& settings) {
  std::string text;
  for (const auto& setting : settings)
    if (setting.is_string()) text += " --set " + quoted(printable(setting.get<std::string>()));
  return text;
}

std::string show_origin(const json& answer, const std::string& origin, const Output& output) {
  const auto before = answer.value("before", json::object());
  const auto old = printable(before.value("origin", ""));
  if (old.empty() || origin.empty() || old == printable(origin) || answer.value("unchanged", false))
    return {};
  const auto name = answer.value("name", "");
  return output.paint(Style::yellow, "warning: ") + answer.value("address", "") + " takes the place of " +
         before.value("address", "") + ", which came from " + old +
         "\n  if that is another function: mayfly rollback " + name +
         ", and give this one a name with --name\n";
}

std::string show_changes(const json& answer, bool several, const Output& output) {
  const auto changes = answer.value("changes", json::array());
  std::string warned;
  std::string others;
  std::string options;
  for (const auto& change : changes) {
    const auto words = printable(change.value("key", "")) + "  " + from_to(change) + consequence(change);
    if (!is_warning(change)) {
      others += output.paint(Style::dim, "  " + words) + "\n";
      continue;
    }
    warned += "  " + words + "\n";
    options += as_options(change.value("keep", json::array()));
  }
  std::string text;
  const auto before = answer.value("before", json::object()).value("address", "");
  const auto address = answer.value("address", "");
  if (!warned.empty()) {
    text = output.paint(Style::yellow, "warning: ") + "what " + before + " had is not in " + address + ":\n" +
           warned +
           (several ? "  to keep it, write it into mayfly.toml; or, for this function alone: --name " +
                          answer.value("name", "") + options + "\n"
                    : "  to keep it, deploy with" + options + ", or write it into mayfly.toml\n");
  }
  if (!others.empty())
    text += output.paint(Style::dim, "other settings than " + before + ":") + "\n" + others;
  return text;
}

}  // namespace mayfly::cli
