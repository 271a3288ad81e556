#include "cli/deploy_client.h"
#include "cli/error.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct DeployArguments {
  std::string path;
  std::string name;
  DeploySettings settings;
};

void print_deployed(Context& context, const json& answer) {
  std::string line = context.out.paint(Style::bold, answer.value("address", "")) + "  " +
                     context.out.paint(Style::cyan, answer.value("url", ""));
  if (answer.value("unchanged", false)) line += context.out.paint(Style::dim, "  (unchanged)");
  if (answer.value("weight", 0) == 0) line += context.out.paint(Style::dim, "  (no traffic yet)");
  context.out.line(line);
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
  auto upload = [&] {
    const Progress progress(context.err, "packing " + arguments.path);
    return make_upload(*project);
  }();
  if (!upload) return propagate(upload);
  json answers = json::array();
  for (const auto& name : project->functions) {
    auto answer = [&] {
      const Progress progress(context.err, "deploying " + name);
      return deploy_function(*client, name, *upload, arguments.settings);
    }();
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
          "function in its mayfly.toml is deployed; without one it is a single function, called after the "
          "name in "
          "package.json or the folder. TypeScript is bundled by the daemon.\n\n"
          "Of a folder all files are taken but .git and what .mayflyignore names. Without a .mayflyignore, "
          ".gitignore "
          "counts, but never for node_modules or for files that the configuration names.\n\n"
          "A deployment whose code does not load is refused, with file and line, and what is in service "
          "stays.",
      .examples = {"mayfly deploy hello.js", "mayfly deploy . --name shop --set memory=256MiB",
                   "mayfly deploy api.ts --set env.STAGE=test --set 'routes=GET /api/*'"},
      .arguments = {{"path", "PATH", "A source file, a folder, or a tar.gz or zip archive", &arguments->path,
                     ValueKind::path, true},
                    {"--name", "NAME", "The function's name", &arguments->name, ValueKind::function},
                    {"--set", "KEY=VALUE", "A key of [functions.NAME], as in mayfly.toml; may be repeated",
                     &arguments->settings.set},
                    {"--keep-traffic", "", "Leave the traffic where it is: the new version gets none yet",
                     &arguments->settings.keep_traffic}},
      .run = [arguments](Context& context) { return deploy(context, *arguments); }};
}

}  // namespace mayfly::cli
