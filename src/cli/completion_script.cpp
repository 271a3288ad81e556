#include <fmt/format.h>

#include <algorithm>

#include "cli/help.h"
#include "cli/parse.h"
#include "cli/templates.h"
#include "cli/terminal.h"

namespace mayfly::cli {
namespace {

std::vector<Argument> arguments_for_shell(const Verb& verb) {
  static Output nowhere(stdout, false, false);
  static Context context{.out = nowhere, .err = nowhere};
  auto arguments = arguments_of(verb, context);
  arguments.push_back({"-h,--help", "", "Say what this verb does", &context.json});
  return arguments;
}

std::vector<std::string> names_of(const Argument& argument) {
  std::vector<std::string> names;
  std::string_view rest = argument.names;
  while (!rest.empty()) {
    const auto name = rest.substr(0, rest.find(','));
    names.emplace_back(name);
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
  }
  return names;
}

std::string template_names() {
  std::string names;
  for (const auto& each : project_templates()) names.append(names.empty() ? "" : " ").append(each.name);
  return names;
}

/// What a value of this kind may be, as a command whose words are the candidates; empty: files.
std::string candidates(ValueKind kind) {
  switch (kind) {
    case ValueKind::function:
      return "mayfly list --names 2>/dev/null";
    case ValueKind::verb:
      return "echo \"$_mayfly_verbs\"";
    case ValueKind::shell:
      return "echo bash zsh fish";
    case ValueKind::template_name:
      return "echo " + template_names();
    case ValueKind::secret_action:
      return "echo set list delete";
    case ValueKind::dataset_action:
      return "echo create list describe refresh delete";
    case ValueKind::token_action:
      return "echo create list revoke";
    case ValueKind::invocation_action:
      return "echo list get result cancel retry";
    case ValueKind::callback_action:
      return "echo secret";
    case ValueKind::upstream_action:
      return "echo list set delete";
    case ValueKind::topic_action:
      return "echo list create publish";
    case ValueKind::queue_action:
      return "echo list pause resume delete";
    case ValueKind::dlq_action:
      return "echo list show redrive purge";
    case ValueKind::schedule_action:
      return "echo list run pause resume";
    case ValueKind::pipeline_action:
      return "echo list start runs show send cancel retry delete";
    case ValueKind::pipeline:
      return "mayfly pipeline list --names 2>/dev/null";
    case ValueKind::topic:
      return "mayfly topic list --names 2>/dev/null";
    case ValueKind::queue:
      return "mayfly queue list --names 2>/dev/null";
    case ValueKind::schedule:
      return "mayfly schedule list --names 2>/dev/null";
    case ValueKind::state:
      return "echo queued running failed succeeded dead cancelled";
    case ValueKind::text:
    case ValueKind::path:
      break;
  }
  return "";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string all_verbs_line(const std::vector<Verb>& verbs) {
  std::vector<std::string> names;
  for (const auto& verb : verbs) names.push_back(verb.name);
  return joined(names);
}

std::string bash_values(ValueKind kind) {
  const auto command = candidates(kind);
  if (!command.empty()) return "COMPREPLY=($(compgen -W \"$(" + command + ")\" -- \"$word\"))";
  return kind == ValueKind::path ? "COMPREPLY=($(compgen -f -- \"$word\"))" : "COMPREPLY=()";
}

/// What stands at each place that is not an option; the last one goes on for all further places.
std::string bash_positionals(const std::vector<Argument>& arguments) {
  std::vector<ValueKind> kinds;
  for (const auto& argument : arguments)
    if (argument.positional()) kinds.push_back(argument.kind);
  if (kinds.empty()) kinds.push_back(ValueKind::text);
  std::string places;
  for (std::size_t i = 0; i < kinds.size(); ++i)
    places += (i + 1 == kinds.size() ? "*" : std::to_string(i)) + ") " + bash_values(kinds[i]) + " ;; ";
  return "case $place in " + places + "esac";
}

std::string bash_script(const std::vector<Verb>& verbs) {
  std::string script =
      "# Completion of mayfly for bash: source <(mayfly completion bash)\n"
      "_mayfly_verbs=" +
      in_quotes(all_verbs_line(verbs)) +
      "\n_mayfly() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} "
      "options='' place=0 each\n"
      "  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"$_mayfly_verbs --help --version\" -- "
      "\"$word\")); return; fi\n"
      "  for each in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do [[ $each == -* ]] || ((++place)); done\n"
      "  case $verb in\n";
  for (const auto& verb : verbs) {
    const auto arguments = arguments_for_shell(verb);
    std::vector<std::string> options;
    std::string values;
    for (const auto& argument : arguments) {
      if (argument.positional()) continue;
      const auto names = names_of(argument);
      options.insert(options.end(), names.begin(), names.end());
      if (argument.value.empty()) continue;
      std::string pattern;
      for (const auto& name : names) pattern += (pattern.empty() ? "" : "|") + name;
      values += "      " + pattern + ") " + bash_values(argument.kind) + "; return ;;\n";
    }
    script += "  " + verb.name + ")\n    case $before in\n" + values +
              "    esac\n    options=" + in_quotes(joined(options)) + "\n    [[ $word == -* ]] || { " +
              bash_positionals(arguments) + "; return; }\n    ;;\n";
  }
  script +=
      "  esac\n  COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n}\n"
      "complete -o filenames -F _mayfly mayfly\n";
  return script;
}

std::string zsh_action(ValueKind kind) {
  const auto command = candidates(kind);
  if (!command.empty()) return "($(" + command + "))";
  return kind == ValueKind::path ? "_files" : " ";
}

std::string zsh_script(const std::vector<Verb>& verbs) {
  std::string script =
      "#compdef mayfly\n# Completion of mayfly for zsh: source <(mayfly completion zsh)\n"
      "_mayfly_verbs=" +
      in_quotes(all_verbs_line(verbs)) + "\n_mayfly() {\n  local -a verbs\n  verbs=(\n";
  const auto escaped = [](std::string text) {
    for (std::size_t at = 0; (at = text.find_first_of(":[]\\", at)) != std::string::npos; at += 2)
      text.insert(at, "\\");
    return text;
  };
  for (const auto& verb : verbs) script += "    " + in_quotes(verb.name + ":" + escaped(verb.summary)) + "\n";
  script +=
      "  )\n  if ((CURRENT == 2)); then _describe verb verbs; return; fi\n  local verb=$words[2]\n  shift "
      "words\n"
      "  ((CURRENT--))\n  case $verb in\n";
  for (const auto& verb : verbs) {
    script += "  " + verb.name + ") _arguments";
    for (const auto& argument : arguments_for_shell(verb)) {
      const auto value =
          argument.value.empty() ? "" : ":" + escaped(argument.value) + ":" + zsh_action(argument.kind);
      if (argument.positional()) {
        const bool many = std::holds_alternative<std::vector<std::string>*>(argument.target);
        script += " \\\n    " + in_quotes((many ? "*" : "") + value);
        continue;
      }
      const bool many = std::holds_alternative<std::vector<std::string>*>(argument.target);
      for (const auto& name : names_of(argument))
        script += " \\\n    " +
                  in_quotes(fmt::format("{}{}[{}]{}", many ? "*" : "", name, escaped(argument.about), value));
    }
    script += " ;;\n";
  }
  script += "  esac\n}\ncompdef _mayfly mayfly\n";
  return script;
}

std::string fish_script(const std::vector<Verb>& verbs) {
  std::string script =
      "# Completion of mayfly for fish: mayfly completion fish | source\n"
      "set -g _mayfly_verbs " +
      all_verbs_line(verbs) + "\ncomplete -c mayfly -f\n";
  for (const auto& verb : verbs) {
    script += "complete -c mayfly -n 'not __fish_seen_subcommand_from $_mayfly_verbs' -a " + verb.name +
              " -d " + in_quotes(verb.summary) + "\n";
    const std::string seen = "complete -c mayfly -n '__fish_seen_subcommand_from " + verb.name + "'";
    for (const auto& argument : arguments_for_shell(verb)) {
      std::string line = seen;
      for (const auto& name : argument.positional() ? std::vector<std::string>() : names_of(argument))
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      const auto command = candidates(argument.kind);
      if (!argument.value.empty() && !argument.positional()) line += " -r";
      if (!argument.value.empty() && argument.kind == ValueKind::path) line += " -F";
      if (!command.empty())
        line += " -a '(" + (argument.kind == ValueKind::verb ? "echo $_mayfly_verbs" : command) +
                " | string split \" \")'";
      if (!argument.positional()) line += " -d " + in_quotes(argument.about);
      if (line != seen) script += line + "\n";
    }
  }
  return script;
}

}  // namespace

std::string completion_script(const std::vector<Verb>& verbs, std::string_view shell) {
  if (shell == "bash") return bash_script(verbs);
  if (shell == "zsh") return zsh_script(verbs);
  if (shell == "fish") return fish_script(verbs);
  return {};
}

}  // namespace mayfly::cli
