#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/error.h"
#include "cli/project.h"
#include "cli/templates.h"
#include "cli/verbs.h"

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

struct NewArguments {
  std::string first;   ///< a template, or with --template a name
  std::string second;  ///< a name
  std::optional<std::string> option;
  bool list = false;
};

/// What is made of the arguments.
struct Wanted {
  const ProjectTemplate* project;
  fs::path folder;
};

const ProjectTemplate* template_named(std::string_view name) {
  const auto all = project_templates();
  const auto found = std::ranges::find(all, name, &ProjectTemplate::name);
  return found == all.end() ? nullptr : &*found;
}

std::unexpected<Error> no_template(const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& each : project_templates()) names.push_back(each.name);
  return fail(CliErrc::usage, "there is no template '" + name + "'" + did_you_mean(name, names) +
                                  ": see `mayfly new --list`");
}

/// `new TEMPLATE`, `new TEMPLATE NAME`, `new NAME`, `new NAME --template TEMPLATE`.
Result<Wanted> understand(const NewArguments& arguments) {
  if (arguments.first.empty())
    return fail(CliErrc::usage, "say which template, and how to call the function: see `mayfly new --list`");
  const bool named = !arguments.option && (template_named(arguments.first) || !arguments.second.empty());
  const std::string usual(project_templates().front().name);
  const auto kind = arguments.option.value_or(named ? arguments.first : usual);
  const auto* project = template_named(kind);
  if (project == nullptr) return no_template(kind);
  if (arguments.option && !arguments.second.empty())
    return fail(CliErrc::usage, "two names, '" + arguments.first + "' and '" + arguments.second + "'");
  const auto& name = named && !arguments.second.empty() ? arguments.second : arguments.first;
  return Wanted{project, (fs::path(name) / "").parent_path()};  // without a slash at its end
}

std::string filled_in(std::string_view text, const std::string& name) {
  constexpr std::string_view kName = "__NAME__";
  std::string out(text);
  for (std::size_t at = 0; (at = out.find(kName, at)) != std::string::npos; at += name.size())
    out.replace(at, kName.size(), name);
  return out;
}

Result<void> write(const fs::path& path, const std::string& content) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream stream(path);
  stream << content;
  if (!stream.flush()) return fail(CliErrc::failed, path.string() + " cannot be written");
  if (content.starts_with("#!"))
    fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                    fs::perm_options::add, error);
  return {};
}

int list(Context& context) {
  if (context.json) {
    auto all = nlohmann::json::array();
    for (const auto& each : project_templates())
      all.push_back({{"name", each.name}, {"summary", each.summary}});
    context.out.line(all.dump(2));
    return kOk;
  }
  Table table({"TEMPLATE", "WHAT IT IS"});
  for (const auto& each : project_templates()) table.row({std::string(each.name), std::string(each.summary)});
  context.out.write(table.text(context.out));
  return kOk;
}

Result<int> create(Context& context, const NewArguments& arguments) {
  if (arguments.list) return list(context);
  auto wanted = understand(arguments);
  if (!wanted) return propagate(wanted);
  const auto& folder = wanted->folder;
  const auto name = function_name(folder.filename().string());
  if (name.empty()) return fail(CliErrc::usage, "'" + folder.string() + "' is no name for a function");
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error))
    return fail(CliErrc::failed, folder.string() + " is there already and not empty: nothing was written");
  auto written = nlohmann::json::array();
  for (const auto& file : wanted->project->files) {
    const auto path = folder / file.path;
    if (auto done = write(path, filled_in(file.content, name)); !done) return propagate(done);
    written.push_back(path.string());
  }
  if (context.json) {
    context.out.line(
        nlohmann::json{{"name", name}, {"template", wanted->project->name}, {"files", written}}.dump(2));
    return kOk;
  }
  for (const auto& path : written) context.out.line("  " + path.get<std::string>());
  context.out.line("next: mayfly deploy " + folder.string() + ", or mayfly dev " + folder.string());
  return kOk;
}

std::string description() {
  std::string names;
  for (const auto& each : project_templates()) names.append(names.empty() ? "" : ", ").append(each.name);
  return "Makes a folder with a start that can be deployed as it is. A name alone gets the first of the "
         "templates.\n\nTemplates: " +
         names + ".";
}

}  // namespace

Verb new_verb() {
  auto arguments = std::make_shared<NewArguments>();
  return {.name = "new",
          .summary = "Write a small project to begin with",
          .description = description(),
          .examples = {"mayfly new fastapi shop", "mayfly new hello", "mayfly new --list"},
          .arguments = {{"template", "TEMPLATE", "What to begin with, see --list", &arguments->first,
                         ValueKind::template_name},
                        {"name", "NAME", "The folder, and the function in it (as the template)",
                         &arguments->second},
                        {"-t,--template", "TEMPLATE", "The template, when only a name is given",
                         &arguments->option, ValueKind::template_name},
                        {"-l,--list", "", "Show the templates", &arguments->list}},
          .run = [arguments](Context& context) { return create(context, *arguments); },
          .connects = false};
}

}  // namespace mayfly::cli
