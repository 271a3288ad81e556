// A verb as data: its arguments and what it does. Parsing, help, manual and completion are all made from
// this one declaration.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cli/terminal.h"

namespace mayfly::cli {

/// What stands for a value, for the shell's completion.
enum class ValueKind {
  text,
  function,
  path,
  verb,
  shell,
  template_name,
  secret_action,
  dataset_action,
  token_action,
  invocation_action,
  callback_action,
  upstream_action,
  topic_action,
  queue_action,
  dlq_action,
  schedule_action,
  pipeline_action,
  topic,
  queue,
  schedule,
  pipeline,
  state,
};

/// An option ("-f,--follow"), or a positional argument (a name without dashes).
struct Argument {
  /// Where the value goes: a flag, one value, or each value given. Outlives the parsing.
  using Target =
      std::variant<bool*, std::string*, std::optional<std::string>*, std::vector<std::string>*, unsigned*>;

  std::string names;
  std::string value;  ///< what help calls the value; empty for a flag
  std::string about;
  Target target;
  ValueKind kind = ValueKind::text;
  bool required = false;

  [[nodiscard]] bool positional() const { return !names.starts_with('-'); }
};

/// What a verb that talks to the daemon was told about it.
struct Connection {
  std::optional<std::string> admin_url;
  std::optional<std::string> token;
  std::optional<std::string> ca;  ///< PEM file of the authorities to believe, for https
  std::optional<std::string> data;
};

/// What a verb has at hand.
struct Context {
  Output& out;
  Output& err;
  Connection connection{};
  bool json = false;
};

struct Verb {
  std::string name;
  std::string summary;      ///< one line, no full stop
  std::string description;  ///< paragraphs divided by empty lines
  std::vector<std::string> examples;
  std::vector<Argument> arguments;
  /// Gives the exit code.
  std::function<Result<int>(Context&)> run;
  bool connects = true;  ///< takes --admin-url, --ca, --token, --data
  bool prints = true;    ///< takes --json
};

}  // namespace mayfly::cli
