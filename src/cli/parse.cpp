#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/error.h"

namespace mayfly::cli {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

void declare(CLI::App& app, const Argument& argument) {
  CLI::Option* option = std::visit(
      Overloaded{
          [&](bool* target) { return app.add_flag(argument.names, *target); },
          [&](std::vector<std::string>* target) {
            // An option takes one value each time it is given; a positional takes all that are
            // left.
            CLI::Option* made = app.add_option(argument.names, *target);
            return argument.positional()
                       ? made
                       : made->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
          },
          [&](auto* target) { return app.add_option(argument.names, *target); },
      },
      argument.target);
  if (argument.required) option->required();
}

/// "--follow" and "-f" of all arguments.
/// In front of a word in brackets, which CLI11 would take for a list of several words, and lose its brackets.
constexpr char kGuard = '\x01';

void guard(std::string& word) {
  if (word.size() > 1 && word.starts_with('[') && word.ends_with(']')) word.insert(word.begin(), kGuard);
}

void unguard(std::string& word) {
  if (word.starts_with(kGuard)) word.erase(word.begin());
}

void unguard(const Argument& argument) {
  std::visit(Overloaded{[](std::string* value) { unguard(*value); },
                        [](std::optional<std::string>* value) {
                          if (*value) unguard(**value);
                        },
                        [](std::vector<std::string>* values) {
                          for (auto& value : *values) unguard(value);
                        },
                        [](auto*) {}},
             argument.target);
}

std::vector<std::string> option_names(const std::vector<Argument>& arguments) {
  std::vector<std::string> names{"--help"};
  for (const auto& argument : arguments) {
    if (argument.positional()) continue;
    for (auto& name : CLI::detail::split(argument.names, ',')) names.push_back(name);
  }
  return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return did_you_mean(word.substr(0, word.find('=')), views);
}

/// What others call what we have.
std::string other_words_for(std::string_view word) {
  struct Other {
    std::string_view words;  ///< each between blanks
    std::string_view ours;
  };
  constexpr std::array kOthers{
      Other{" status info ", "`mayfly doctor` looks at the machine, `mayfly list` at the functions"},
      Other{" ls ps functions ", "`mayfly list` shows the functions"},
      Other{" rm remove undeploy ", "`mayfly delete` removes a function"},
      Other{" init create ", "`mayfly new` makes a function"},
      Other{" start run up ", "`mayfly serve` is the daemon, `mayfly dev` follows a folder"},
      Other{" publish ", "`mayfly topic publish` publishes an event, `mayfly deploy` deploys a function"},
  };
  const auto wanted = " " + std::string(word) + " ";
  for (const auto& other : kOthers)
    if (other.words.contains(wanted)) return ": " + std::string(other.ours);
  return {};
}

std::unexpected<Error> usage(const std::string& message, const std::string& verb) {
  return fail(CliErrc::usage,
              message + "\nsee `mayfly " + (verb.empty() ? "--help" : verb + " --help") + "`");
}

Result<Parsed> parse_verb(const Verb& verb, std::vector<std::string> words, Context& context) {
  const auto arguments = arguments_of(verb, context);
  CLI::App app(verb.summary, verb.name);
  app.set_help_flag();
  app.allow_extras();  // so that we can say what was meant
  for (const auto& argument : arguments) declare(app, argument);
  for (auto& word : words) guard(word);
  std::ranges::reverse(words);  // as CLI11 wants them
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return usage(error.what(), verb.name);
  }
  for (const auto& argument : arguments) unguard(argument);
  auto extras = app.remaining();
  for (auto& word : extras) unguard(word);
  std::erase(extras, "--");  // it has done its work
  if (!extras.empty()) {
    const auto& word = extras.front();
    const bool option = word.starts_with('-');
    return usage("`mayfly " + verb.name + "` takes no " + (option ? "option " : "argument ") + "'" + word +
                     "'" + (option ? suggestion(word, option_names(arguments)) : ""),
                 verb.name);
  }
  return Parsed{.verb = &verb};
}

bool asks_for_help(const std::vector<std::string>& words) {
  const auto end = std::ranges::find(words, "--");
  return std::any_of(words.begin(), end,
                     [](const std::string& word) { return word == "--help" || word == "-h"; });
}

}  // namespace

std::vector<Argument> arguments_of(const Verb& verb, Context& context) {
  auto all = verb.arguments;
  if (verb.prints) all.push_back({"--json", "", "Print JSON, for programs", &context.json});
  if (verb.connects) {
    auto& connection = context.connection;
    all.push_back({"--admin-url", "URL",
                   "The daemon's admin plane (else MAYFLY_ADMIN, else as the data folder has it)",
                   &connection.admin_url});
    all.push_back({"--ca", "FILE",
                   "For https: the authorities to believe, PEM (else MAYFLY_CA, else the system's)",
                   &connection.ca, ValueKind::path});
    all.push_back({"--token", "TOKEN",
                   "The admin token (else MAYFLY_TOKEN, else the file in the data folder)",
                   &connection.token});
    // `invoke` has a --data of its own, as curl has; there the folder is MAYFLY_DATA.
    const auto taken = [](const Argument& each) { return each.names.ends_with("--data"); };
    if (std::ranges::none_of(verb.arguments, taken))
      all.push_back({"--data", "DIR",
                     "The daemon's data folder, with token and address (else MAYFLY_DATA, else the default)",
                     &connection.data, ValueKind::path});
  }
  return all;
}

Result<Parsed> parse(const std::vector<Verb>& verbs, const std::vector<std::string>& words,
                     Context& context) {
  if (words.empty()) return Parsed{.help = true};
  const auto& first = words.front();
  if (first == "--version" || first == "-V") return Parsed{.version = true};
  if (first == "--help" || first == "-h") return Parsed{.help = true};
  const auto found = std::ranges::find(verbs, first, &Verb::name);
  if (found == verbs.end()) {
    if (first.starts_with('-')) return usage("options stand after the verb: mayfly VERB " + first, "");
    std::vector<std::string> names;
    for (const auto& verb : verbs) names.push_back(verb.name);
    const auto known = other_words_for(first);
    return usage("there is no verb '" + first + "'" + (known.empty() ? suggestion(first, names) : known), "");
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (asks_for_help(rest)) return Parsed{.verb = &*found, .help = true};
  return parse_verb(*found, rest, context);
}

}  // namespace mayfly::cli
