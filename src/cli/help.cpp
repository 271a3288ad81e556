#include "cli/help.h"

#include <algorithm>

#include "cli/parse.h"

namespace mayfly::cli {
namespace {

constexpr std::size_t kWidth = 100;

/// The text in lines of at most `width`, each but the first after `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = kWidth) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > indent && column + 1 + display_width(word) > width) {
      out.append("\n").append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out.append(word);
    column += display_width(word);
  }
  return out;
}

std::vector<std::string> paragraphs(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find("\n\n", begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    std::ranges::replace(parts.back(), '\n', ' ');
    begin = end + 2;
  }
  return parts;
}

std::string label(const Argument& argument) {
  std::string text = argument.positional() ? argument.value : argument.names;
  if (const auto comma = text.find(','); comma != std::string::npos) text.insert(comma + 1, " ");
  if (!argument.positional() && !argument.value.empty()) text += " " + argument.value;
  return text;
}

std::string table(const std::vector<std::pair<std::string, std::string>>& rows, const Output& output) {
  std::size_t width = 0;
  for (const auto& [left, ignored] : rows) width = std::max(width, display_width(left));
  std::string text;
  for (const auto& [left, right] : rows) {
    text += "  " + output.paint(Style::cyan, left) + std::string(width - display_width(left) + 2, ' ');
    text += wrapped(right, width + 4) + "\n";
  }
  return text;
}

/// The arguments of a verb with those that verbs share; only to be read.
std::vector<Argument> readable_arguments(const Verb& verb) {
  static Output nowhere(stdout, false, false);
  static Context context{.out = nowhere, .err = nowhere};
  return arguments_of(verb, context);
}

constexpr std::pair<std::string_view, std::string_view> kExitCodes[] = {
    {"0", "Done"},
    {"1", "The function failed, or what was asked was refused"},
    {"2", "The command line makes no sense"},
    {"3", "No daemon answers, or it does not take the token"},
};
constexpr std::pair<std::string_view, std::string_view> kEnvironment[] = {
    {"MAYFLY_ADMIN", "The daemon's admin plane, as --admin-url"},
    {"MAYFLY_TOKEN", "The admin token, as --token"},
    {"MAYFLY_DATA", "The data folder, as --data"},
    {"NO_COLOR", "If set, nothing is printed in colour"},
};

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out.append("\\&") += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string roff_verb(const Verb& verb) {
  std::string page =
      ".SS " + roff(verb.name) + "\n.B " + roff(synopsis(verb)) + "\n.PP\n" + roff(verb.summary) + ".\n";
  for (const auto& paragraph : paragraphs(verb.description)) page += ".PP\n" + roff(paragraph) + "\n";
  for (const auto& argument : readable_arguments(verb))
    page += ".TP\n.B " + roff(label(argument)) + "\n" + roff(argument.about) + "\n";
  if (!verb.examples.empty()) page += ".PP\nExamples:\n.nf\n";
  for (const auto& example : verb.examples) page += roff("  " + example) + "\n";
  if (!verb.examples.empty()) page += ".fi\n";
  return page;
}

}  // namespace

std::string synopsis(const Verb& verb) {
  std::string text = "mayfly " + verb.name;
  const auto arguments = readable_arguments(verb);
  if (std::ranges::any_of(arguments, [](const auto& a) { return !a.positional(); })) text += " [OPTIONS]";
  for (const auto& argument : arguments) {
    if (!argument.positional()) continue;
    const bool many = std::holds_alternative<std::vector<std::string>*>(argument.target);
    const std::string name = argument.value + (many ? "..." : "");
    text += argument.required ? " " + name : " [" + name + "]";
  }
  return text;
}

std::string help_text(const Verb& verb, const Output& output) {
  std::string text = output.paint(Style::bold, synopsis(verb)) + "\n\n" + verb.summary + ".\n";
  for (const auto& paragraph : paragraphs(verb.description)) text += "\n" + wrapped(paragraph, 0) + "\n";
  std::vector<std::pair<std::string, std::string>> positionals;
  std::vector<std::pair<std::string, std::string>> options;
  for (const auto& argument : readable_arguments(verb))
    (argument.positional() ? positionals : options).emplace_back(label(argument), argument.about);
  if (!positionals.empty())
    text += "\n" + output.paint(Style::bold, "Arguments") + "\n" + table(positionals, output);
  if (!options.empty()) text += "\n" + output.paint(Style::bold, "Options") + "\n" + table(options, output);
  if (!verb.examples.empty()) text += "\n" + output.paint(Style::bold, "Examples") + "\n";
  for (const auto& example : verb.examples) text += "  " + example + "\n";
  return text;
}

std::string overview(const std::vector<Verb>& verbs, const Output& output) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& verb : verbs) rows.emplace_back(verb.name, verb.summary);
  std::vector<std::pair<std::string, std::string>> codes;
  for (const auto& [code, about] : kExitCodes) codes.emplace_back(code, about);
  std::vector<std::pair<std::string, std::string>> variables;
  for (const auto& [name, about] : kEnvironment) variables.emplace_back(name, about);
  return output.paint(Style::bold, "mayfly VERB [OPTIONS] [ARGUMENTS]") +
         "\n\nFunctions as a service, on your machine.\n\n" + output.paint(Style::bold, "Verbs") + "\n" +
         table(rows, output) + "\n" + output.paint(Style::bold, "Exit codes") + "\n" + table(codes, output) +
         "\n" + output.paint(Style::bold, "Environment") + "\n" + table(variables, output) +
         "\n`mayfly VERB --help` says more about a verb.\n";
}

std::string manual(const std::vector<Verb>& verbs) {
  std::string page =
      ".TH MAYFLY 1 \"\" \"Mayfly\" \"Mayfly manual\"\n.SH NAME\nmayfly \\- functions as a service, on your "
      "machine\n"
      ".SH SYNOPSIS\n.B mayfly\n.I VERB\n[OPTIONS] [ARGUMENTS]\n.SH VERBS\n";
  for (const auto& verb : verbs) page += roff_verb(verb);
  page += ".SH EXIT STATUS\n";
  for (const auto& [code, about] : kExitCodes) page += ".TP\n.B " + roff(code) + "\n" + roff(about) + "\n";
  page += ".SH ENVIRONMENT\n";
  for (const auto& [name, about] : kEnvironment) page += ".TP\n.B " + roff(name) + "\n" + roff(about) + "\n";
  return page;
}

}  // namespace mayfly::cli
