#include "cli/deploy_client.h"
#include "cli/deploy_view.h"
#include "cli/error.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

/// What a tool has said was shown as it came: the message needs no more than its own first line.
Error without_output(Error error) {
  for (auto& [key, value] : error.details) {
    if (key != "problem") continue;
    auto document = json::parse(value, nullptr, false);
    if (!document.is_object() || document.erase("output") == 0) continue;
    auto detail = document.value("detail", "");
    if (const auto end = detail.find(":\n"); end != std::string::npos)
      document["detail"] = detail.substr(0, end);
    value = document.dump();
  }
  return error;
}

struct DeployArguments {
  std::string path;
  std::string name;
  DeploySettings settings;
  bool vendored = false;
  bool verbose = false;
};

/// One function, with a sign of life meanwhile: what tools say as it is, or their last line beside a spinner.
Result<json> deploy_one(Context& context, const DaemonClient& client, const std::string& name,
                        const Upload& upload, const DeployArguments& arguments) {
  if (arguments.verbose) {
    const auto show = [&](std::string_view text) { context.err.write(printable(text)); };
    auto answer = deploy_function(client, name, upload, arguments.settings, show);
    if (!answer) answer.error() = without_output(std::move(answer.error()));  // it was shown already
    return answer;
  }
  Progress progress(context.err, "deploying " + name);
  LastLine last;
  return deploy_function(client, name, upload, arguments.settings,
                         [&](std::string_view text) { progress.say(last.add(text)); });
}

void print_deployed(Context& context, const json& answer) {
  const bool pipeline = answer.contains("pipeline");
  const auto what = pipeline ? "pipeline " + answer.value("pipeline", "") : answer.value("address", "");
  std::string line =
      context.out.paint(Style::bold, what) + "  " + context.out.paint(Style::cyan, answer.value("url", ""));
  const auto before = answer.value("before", json::object()).value("address", "");
  if (answer.value("unchanged", false))
    line += context.out.paint(Style::dim, "  (unchanged)");
  else if (!pipeline)
    line += context.out.paint(Style::dim, before.empty() ? "  (new)" : "  (was " + before + ")");
  if (!pipeline && answer.value("weight", 0) == 0)
    line += context.out.paint(Style::dim, "  (no traffic yet)");
  context.out.line(line);
}

/// `query`: "?check=true" asks only whether it is right.
Result<json> deploy_pipeline(const DaemonClient& client, const std::string& name,
                             const std::string& definition, const std::string& query = "") {
  const auto sent = client.send({.method = "PUT",
                                 .target = "/v1/pipelines/" + percent_encode(name) + query,
                                 .headers = {{"Content-Type", "application/json"}},
                                 .body = definition});
  if (!sent) return std::unexpected(sent.error());
  return parse_answer(*sent);
}

void print_warnings(Context& context, const json& answer) {
  const auto found = answer.find("warnings");
  if (found == answer.end()) return;
  for (const auto& warning : *found)
    context.err.line(context.err.paint(Style::yellow, "warning: ") + printable(warning.get<std::string>()));
}

Result<int> deploy(Context& context, const DeployArguments& arguments) {
  auto project = find_project(arguments.path, arguments.name);
  if (!project) return propagate(project);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  for (const auto& [name, definition] : project->pipelines)  // before anything is deployed
    if (auto checked = deploy_pipeline(*client, name, definition, "?check=true"); !checked)
      return std::unexpected(std::move(checked.error()).with("source", arguments.path));
  auto upload = [&] {
    const Progress progress(context.err, "packing " + arguments.path);
    return project->functions.empty() ? Result<Upload>() : make_upload(*project, arguments.vendored);
  }();
  if (!upload) return propagate(upload);
  json answers = json::array();
  for (const auto& name : project->functions) {
    auto answer = deploy_one(context, *client, name, *upload, arguments);
    if (!answer) return std::unexpected(std::move(answer.error()).with("source", arguments.path));
    print_warnings(context, *answer);
    if (arguments.name.empty()) context.err.write(show_origin(*answer, upload->origin, context.err));
    context.err.write(show_changes(*answer, project->functions.size() > 1, context.err));
    if (!context.json) print_deployed(context, *answer);
    answers.push_back(std::move(*answer));
  }
  for (const auto& [name, definition] : project->pipelines) {
    auto answer = deploy_pipeline(*client, name, definition);
    if (!answer) return std::unexpected(std::move(answer.error()).with("source", arguments.path));
    print_warnings(context, *answer);
    if (!context.json) print_deployed(context, *answer);
    answers.push_back(std::move(*answer));
  }
  if (context.json) context.out.line((answers.size() == 1 ? answers[0] : answers).dump(2));
  return kOk;
}

}  // namespace

Verb deploy_verb() {
  auto arguments = std::make_shared<DeployArguments>();
  return {
      .name = "deploy",
      .summary = "Deploy a file, a folder or an archive",
      .description =
          "A file is the whole deployment, and the function is called after it: hello.js is hello. Of a "
          "folder every "
          "function and upstream in its mayfly.toml is deployed; without one it is a single function, called "
          "after the "
          "name in "
          "package.json or the folder. TypeScript is bundled, C, C++, Go and Rust are "
          "compiled by the daemon.\n\n"
          "The daemon installs the packages that package-lock.json, requirements.txt or pyproject.toml ask "
          "for.\n\n"
          "Of a folder all files are taken but .git and what .mayflyignore names. Without a .mayflyignore, "
          ".gitignore "
          "counts, but never for files that the configuration names, nor for vendor and wheels. node_modules "
          "stays here where a package-lock.json lies beside it; with --vendored it goes along.\n\n"
          "A deployment whose code does not load is refused, with file and line, and what is in service "
          "stays.\n\n"
          "Settings are those of mayfly.toml and --set, every time anew: what the version before had and "
          "this one "
          "has not is said, with what keeps it. A function that wanted a key or a token is not opened by "
          "leaving "
          "that out: say access=public if it is meant.",
      .examples = {"mayfly deploy hello.js", "mayfly deploy . --name shop --set memory=256MiB",
                   "mayfly deploy api.ts --set env.STAGE=test --set 'routes=GET /api/*'"},
      .arguments = {{"path", "PATH", "A source file, a folder, or a tar.gz or zip archive", &arguments->path,
                     ValueKind::path, true},
                    {"--name", "NAME", "The function's name", &arguments->name, ValueKind::function},
                    {"--set", "KEY=VALUE", "A key of [functions.NAME], as in mayfly.toml; may be repeated",
                     &arguments->settings.set},
                    {"--vendored", "", "Take node_modules along, though a lock file says what is in it",
                     &arguments->vendored},
                    {"--verbose", "", "Show what the daemon's tools (npm, pip, compilers) print",
                     &arguments->verbose},
                    {"--keep-traffic", "", "Leave the traffic where it is: the new version gets none yet",
                     &arguments->settings.keep_traffic}},
      .run = [arguments](Context& context) { return deploy(context, *arguments); }};
}

}  // namespace mayfly::cli
