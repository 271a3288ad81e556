#include <termios.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct SecretArguments {
  std::string action;
  std::vector<std::string> names;
  std::optional<std::string> file;
  bool force = false;
};

/// What is typed is not shown while this lives.
class NoEcho {
 public:
  NoEcho() {
    known_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    auto silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~NoEcho() {
    if (known_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool known_ = false;
};

/// The line that someone types, or all of standard input without the line end that `echo` and editors add.
Result<std::string> read_input(Context& context, const std::string& name) {
  std::string value;
  if (::isatty(STDIN_FILENO) == 1) {
    context.err.write("value of " + name + " (not shown): ");
    const NoEcho silence;
    std::getline(std::cin, value);
    context.err.line("");
    return value;
  }
  auto input = read_value("-");
  if (!input) return input;
  if (input->ends_with('\n')) input->pop_back();
  if (input->ends_with('\r')) input->pop_back();
  return input;
}

std::string target_of(const std::string& name) { return "/v1/secrets/" + percent_encode(name); }

Result<int> set(Context& context, const SecretArguments& arguments) {
  const auto& name = arguments.names.front();
  const auto& file = arguments.file;
  auto value = !file ? read_input(context, name) : *file == "-" ? read_value("-") : read_file(*file);
  if (!value) return propagate(value);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  HttpRequest request{.method = "PUT",
                      .target = target_of(name),
                      .headers = {{"Content-Type", "application/octet-stream"}},
                      .body = std::move(*value)};
  auto answer = [&] {
    const Progress progress(context.err, "functions get the new value");
    return client->send(std::move(request));
  }();
  if (!answer) return propagate(answer);
  const auto done = parse_answer(*answer);
  if (!done) return std::unexpected(done.error());
  if (context.json) {
    context.out.line(done->dump(2));
    return kOk;
  }
  context.out.line(name + (answer->status == 201 ? " is set" : " is changed"));
  for (const auto& address : done->at("renewed")) context.out.line(address.get<std::string>() + " has it");
  for (const auto& warning : done->value("warnings", json::array()))
    context.err.line(context.err.paint(Style::yellow, "warning: ") + printable(warning.get<std::string>()));
  return kOk;
}

Result<int> list(Context& context) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get("/v1/secrets");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"NAME", "CREATED", "CHANGED", "FUNCTIONS"});
  for (const auto& secret : answer->at("secrets")) {
    std::string functions;
    for (const auto& name : secret.at("functions"))
      functions += (functions.empty() ? "" : ", ") + name.get<std::string>();
    table.row({context.out.paint(Style::bold, secret.value("name", "")),
               short_time(secret.value("created", "")), short_time(secret.value("updated", "")), functions});
  }
  if (table.empty())
    context.out.line("no secrets yet: `mayfly secret set NAME` makes one");
  else
    context.out.write(table.text(context.out));
  if (answer->contains("locked"))
    context.err.line(context.err.paint(Style::yellow, "warning: ") + answer->value("locked", ""));
  return kOk;
}

Result<int> remove(Context& context, const SecretArguments& arguments) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  for (const auto& name : arguments.names) {
    auto answer = client->send(
        {.method = "DELETE", .target = target_of(name) + (arguments.force ? "?force=true" : "")});
    if (!answer) return propagate(answer);
    context.out.line(context.json ? json{{"deleted", name}}.dump() : name + " is deleted");
  }
  return kOk;
}

Result<int> secret(Context& context, const SecretArguments& arguments) {
  const auto& [action, names, file, force] = arguments;
  if (action == "list" && names.empty()) return list(context);
  if (action == "set" && names.size() == 1) return set(context, arguments);
  if (action == "delete" && !names.empty()) return remove(context, arguments);
  if (action == "list") return fail(CliErrc::usage, "`mayfly secret list` takes no name");
  if (action == "set" && names.size() > 1)
    return fail(CliErrc::usage,
                "a value is not taken from the command line, where others can see it: `mayfly secret set " +
                    names.front() + "` reads it from standard input, --from-file FILE from a file");
  if (action == "set" || action == "delete")
    return fail(CliErrc::usage, "which secret? mayfly secret " + action + " NAME");
  constexpr std::array<std::string_view, 3> kActions{"set", "list", "delete"};
  return fail(CliErrc::usage, "a secret can be set, listed (list) and deleted (delete), there is no '" +
                                  action + "'" + did_you_mean(action, kActions));
}

}  // namespace

Verb secret_verb() {
  auto arguments = std::make_shared<SecretArguments>();
  return {
      .name = "secret",
      .summary = "Set, list and delete secrets",
      .description =
          "A function gets the secrets that its configuration lists, as environment variables: secrets = "
          "[\"STRIPE_KEY\"]. With :file behind the name the variable holds the path of a file in memory.\n\n"
          "A value is read from standard input (one line end at its end is dropped) or, as it is, from a "
          "file. It can be changed and never be read back: functions that list it get the new one at once, "
          "without losing a request.",
      .examples = {"mayfly secret set STRIPE_KEY", "pass stripe | mayfly secret set STRIPE_KEY",
                   "mayfly secret set TLS_KEY --from-file key.pem", "mayfly secret list",
                   "mayfly secret delete STRIPE_KEY"},
      .arguments = {{"action", "set|list|delete", "What is to be done", &arguments->action,
                     ValueKind::secret_action, true},
                    {"name", "NAME", "The secret, and the variable", &arguments->names},
                    {"--from-file", "FILE", "Where the value is; - is standard input, as it is",
                     &arguments->file, ValueKind::path},
                    {"--force", "", "Delete it though functions list it, which cannot start then",
                     &arguments->force}},
      .run = [arguments](Context& context) { return secret(context, *arguments); }};
}

}  // namespace mayfly::cli
