#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct DatasetArguments {
  std::string action;
  std::vector<std::string> names;
  std::vector<std::string> from;
  std::optional<std::string> every;
  bool watch = false;
  bool force = false;
};

std::string target_of(const std::string& name, const std::string& rest = "") {
  return "/v1/datasets/" + percent_encode(name) + rest;
}

std::string size_of(const json& dataset) {
  return dataset.contains("size_bytes") ? size_in_words(dataset.at("size_bytes").get<std::uint64_t>())
                                        : "not loaded";
}

std::string source_of(const json& dataset) {
  const auto& source = dataset.at("source");
  if (source.value("uploaded", false)) return "uploaded";
  std::string text;
  for (const auto& path : source.at("from")) text += (text.empty() ? "" : " ") + path.get<std::string>();
  if (source.contains("every")) text += ", every " + source.value("every", "");
  if (source.value("watch", false)) text += ", when changed";
  return text;
}

void warn(Context& context, const std::string& text) {
  context.err.line(context.err.paint(Style::yellow, "warning: ") + printable(text));
}

Result<int> show_loaded(Context& context, const std::string& name, const Result<json>& done) {
  if (!done) return std::unexpected(done.error());
  if (context.json) {
    context.out.line(done->dump(2));
    return kOk;
  }
  context.out.line(name + " is loaded: " + size_of(*done) + ", generation " +
                   std::to_string(done->value("generation", 0)));
  for (const auto& address : done->at("renewed")) context.out.line(address.get<std::string>() + " has it");
  for (const auto& warning : done->value("warnings", json::array()))
    warn(context, warning.get<std::string>());
  return kOk;
}

Result<int> create(Context& context, const DatasetArguments& arguments) {
  const auto& name = arguments.names.front();
  const bool uploads = arguments.from == std::vector<std::string>{"-"};
  if (arguments.from.empty())
    return fail(CliErrc::usage, "from where? mayfly dataset create " + name +
                                    " --from '/var/log/nginx/*.log', or --from - for standard input");
  HttpRequest request{.method = "PUT", .target = {}};
  if (uploads) {
    if (arguments.every || arguments.watch)
      return fail(CliErrc::usage, "standard input is read once: --every and --watch are for files");
    auto content = read_value("-");
    if (!content) return propagate(content);
    request.target = target_of(name);
    request.headers = {{"Content-Type", "application/octet-stream"}};
    request.body = std::move(*content);
  } else {
    json body{{"from", json::array()}, {"watch", arguments.watch}};
    // What is in this folder has another path for the daemon.
    for (const auto& path : arguments.from) body["from"].push_back(std::filesystem::absolute(path).string());
    if (arguments.every) body["every"] = *arguments.every;
    request.target = target_of(name, "/source");
    request.headers = {{"Content-Type", "application/json"}};
    request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = [&] {
    const Progress progress(context.err, "loading");
    return client->send(std::move(request));
  }();
  if (!answer) return std::unexpected(answer.error());
  return show_loaded(context, name, parse_answer(*answer));
}

Result<int> refresh(Context& context, const DatasetArguments& arguments) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  for (const auto& name : arguments.names) {
    const auto answer = [&] {
      const Progress progress(context.err, "loading");
      return client->send({.method = "POST", .target = target_of(name, "/refresh")});
    }();
    if (!answer) return std::unexpected(answer.error());
    if (auto shown = show_loaded(context, name, parse_answer(*answer)); !shown) return shown;
  }
  return kOk;
}

Result<int> list(Context& context) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get("/v1/datasets");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"NAME", "SIZE", "GENERATION", "LOADED", "FUNCTIONS", "SOURCE"});
  for (const auto& dataset : answer->at("datasets")) {
    std::string functions;
    for (const auto& name : dataset.at("functions"))
      functions += (functions.empty() ? "" : ", ") + name.get<std::string>();
    const auto generation = dataset.value("generation", 0);
    table.row({context.out.paint(Style::bold, dataset.value("name", "")), size_of(dataset),
               generation > 0 ? std::to_string(generation) : "", short_time(dataset.value("loaded", "")),
               functions, printable(source_of(dataset))});
  }
  if (table.empty())
    context.out.line("no datasets yet: `mayfly dataset create NAME --from PATH` makes one");
  else
    context.out.write(table.text(context.out));
  context.out.line(size_in_words(answer->at("used_bytes").get<std::uint64_t>()) + " of " +
                   size_in_words(answer->at("budget_bytes").get<std::uint64_t>()) + " used");
  for (const auto& dataset : answer->at("datasets"))
    if (dataset.contains("failure"))
      warn(context, dataset.value("name", "") + ": " + dataset.value("failure", ""));
  return kOk;
}

Result<int> describe(Context& context, const std::string& name) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto dataset = client->get(target_of(name));
  if (!dataset) return std::unexpected(dataset.error());
  if (context.json) {
    context.out.line(dataset->dump(2));
    return kOk;
  }
  context.out.line(context.out.paint(Style::bold, name) + ": " + size_of(*dataset));
  context.out.line("source      " + printable(source_of(*dataset)));
  if (dataset->contains("generation"))
    context.out.line("generation  " + std::to_string(dataset->value("generation", 0)) + ", loaded " +
                     short_time(dataset->value("loaded", "")));
  Table table({"FILE", "OFFSET", "SIZE"});
  for (const auto& file : dataset->at("files"))
    table.row({printable(file.value("name", "")), std::to_string(file.value("offset", std::uint64_t{0})),
               std::to_string(file.value("size", std::uint64_t{0}))});
  if (!table.empty()) context.out.write(table.text(context.out));
  if (dataset->contains("failure")) warn(context, dataset->value("failure", ""));
  return kOk;
}

Result<int> remove(Context& context, const DatasetArguments& arguments) {
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

Result<int> dataset(Context& context, const DatasetArguments& arguments) {
  const auto& action = arguments.action;
  const auto& names = arguments.names;
  if (action == "list" && names.empty()) return list(context);
  if (action == "list") return fail(CliErrc::usage, "`mayfly dataset list` takes no name");
  constexpr std::array<std::string_view, 5> kActions{"create", "list", "describe", "refresh", "delete"};
  if (std::ranges::find(kActions, action) == kActions.end())
    return fail(
        CliErrc::usage,
        "a dataset can be made (create), listed (list), described (describe), loaded again (refresh) and "
        "deleted (delete), there is no '" +
            action + "'" + did_you_mean(action, kActions));
  if (names.empty()) return fail(CliErrc::usage, "which dataset? mayfly dataset " + action + " NAME");
  if (action == "refresh") return refresh(context, arguments);
  if (action == "delete") return remove(context, arguments);
  if (names.size() > 1)
    return fail(CliErrc::usage, "`mayfly dataset " + action + "` takes one name, and '" + names[1] +
                                    "' is another; paths are given with --from, a pattern in quotes");
  return action == "create" ? create(context, arguments) : describe(context, names.front());
}

}  // namespace

Verb dataset_verb() {
  auto arguments = std::make_shared<DatasetArguments>();
  return {
      .name = "dataset",
      .summary = "Make, list, load again and delete datasets: data that functions have in memory",
      .description =
          "A dataset is loaded once into memory that all instances share: a function that lists it, datasets "
          "= "
          "[\"access-log\"], has it before its first instruction, whatever its size, and a new instance "
          "costs "
          "nothing more for it.\n\n"
          "It comes from files of the daemon's machine, named by paths and patterns, or from standard input. "
          "Loading "
          "it again builds the next generation beside the one in use and changes between two requests; what "
          "runs "
          "keeps its own.",
      .examples = {"mayfly dataset create access-log --from '/var/log/nginx/*.log'",
                   "mayfly dataset create prices --from prices.csv --watch",
                   "mayfly dataset create model --from /srv/model.bin --every 24h",
                   "curl -s https://example.org/cities.json | mayfly dataset create cities --from -",
                   "mayfly dataset list", "mayfly dataset refresh access-log",
                   "mayfly dataset delete access-log"},
      .arguments = {{"action", "create|list|describe|refresh|delete", "What is to be done",
                     &arguments->action, ValueKind::dataset_action, true},
                    {"name", "NAME", "The dataset", &arguments->names},
                    {"--from", "PATH", "A file, or a pattern in quotes; - is standard input; may be repeated",
                     &arguments->from, ValueKind::path},
                    {"--every", "DURATION", "Load it again so often", &arguments->every},
                    {"--watch", "", "Load it again when its files have changed", &arguments->watch},
                    {"--force", "", "Delete it though functions list it, which cannot start then",
                     &arguments->force}},
      .run = [arguments](Context& context) { return dataset(context, *arguments); }};
}

}  // namespace mayfly::cli
