#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/error.h"
#include "cli/project.h"
#include "cli/verbs.h"

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

struct File {
  std::string_view name;
  std::string_view content;  ///< NAME stands for the function's name
};
struct Template {
  std::string_view name;
  std::vector<File> files;
};

constexpr std::string_view kIgnored = "node_modules/\n";

const std::vector<Template>& templates() {
  static const std::vector<Template> all = {
      {"js",
       {{"index.js",
         "// Answers http://127.0.0.1:8080/NAME. Deploy with `mayfly deploy .`, or work with `mayfly dev`.\n"
         "export default {\n"
         "  async fetch(request, env, ctx) {\n"
         "    const url = new URL(request.url);\n"
         "    const who = url.searchParams.get(\"name\") ?? \"world\";\n"
         "    return Response.json({ hello: who, path: url.pathname });\n"
         "  },\n"
         "};\n"},
        {"mayfly.toml", "[functions.NAME]\nsource = \"index.js\"\n"}}},
      {"ts",
       {{"index.ts",
         "// Answers http://127.0.0.1:8080/NAME. Deploy with `mayfly deploy .`, or work with `mayfly dev`.\n"
         "interface Greeting {\n"
         "  hello: string;\n"
         "  path: string;\n"
         "}\n"
         "\n"
         "export default {\n"
         "  async fetch(request: Request): Promise<Response> {\n"
         "    const url = new URL(request.url);\n"
         "    const greeting: Greeting = { hello: url.searchParams.get(\"name\") ?? \"world\", path: "
         "url.pathname };\n"
         "    return Response.json(greeting);\n"
         "  },\n"
         "};\n"},
        {"mayfly.toml", "[functions.NAME]\nsource = \"index.ts\"\n"}}},
      {"lambda",
       {{"index.mjs",
         "// An HTTP request comes as an API Gateway event (payload 2.0), `mayfly invoke NAME '{}'` as it "
         "is.\n"
         "export const handler = async (event, context) => {\n"
         "  const who = event.queryStringParameters?.name ?? event.name ?? \"world\";\n"
         "  return {\n"
         "    statusCode: 200,\n"
         "    headers: { \"content-type\": \"application/json\" },\n"
         "    body: JSON.stringify({ hello: who, request: context.awsRequestId }),\n"
         "  };\n"
         "};\n"},
        {"mayfly.toml", "[functions.NAME]\nsource = \"index.mjs\"\nhandler = \"handler\"\n"}}},
      {"express",
       {{"index.js",
         "// Run `npm install` first.\n"
         "import express from \"express\";\n"
         "\n"
         "const app = express();\n"
         "app.use(express.json());\n"
         "\n"
         "app.get(\"/\", (req, res) => res.json({ hello: req.query.name ?? \"world\" }));\n"
         "app.post(\"/echo\", (req, res) => res.json({ received: req.body }));\n"
         "\n"
         "export default app;\n"},
        {"package.json",
         "{\n  \"name\": \"NAME\",\n  \"private\": true,\n  \"type\": \"module\",\n  \"main\": "
         "\"index.js\",\n"
         "  \"dependencies\": { \"express\": \"^4.21.0\" }\n}\n"},
        {"mayfly.toml", "[functions.NAME]\nsource = \"index.js\"\n"},
        {".gitignore", kIgnored}}}};
  return all;
}

struct NewArguments {
  std::string name;
  std::string kind = "js";
};

std::string filled_in(std::string_view text, const std::string& name) {
  std::string out(text);
  for (std::size_t at = 0; (at = out.find("NAME", at)) != std::string::npos; at += name.size())
    out.replace(at, 4, name);
  return out;
}

Result<const Template*> find_template(const std::string& name) {
  std::vector<std::string_view> names;
  std::string list;
  for (const auto& each : templates()) {
    if (each.name == name) return &each;
    names.push_back(each.name);
    list.append(list.empty() ? "" : ", ").append(each.name);
  }
  return fail(CliErrc::usage,
              "there is no template '" + name + "'" + did_you_mean(name, names) + "; there are " + list);
}

Result<int> create(Context& context, const NewArguments& arguments) {
  auto chosen = find_template(arguments.kind);
  if (!chosen) return propagate(chosen);
  const fs::path folder = (fs::path(arguments.name) / "").parent_path();  // without a slash at its end
  const auto name = function_name(folder.filename().string());
  if (name.empty()) return fail(CliErrc::usage, "'" + arguments.name + "' is no name for a function");
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error))
    return fail(CliErrc::failed, folder.string() + " is there already and not empty: nothing was written");
  fs::create_directories(folder, error);
  nlohmann::json written = nlohmann::json::array();
  for (const auto& file : (*chosen)->files) {
    const auto path = folder / file.name;
    std::ofstream stream(path);
    stream << filled_in(file.content, name);
    if (!stream.flush()) return fail(CliErrc::failed, path.string() + " cannot be written");
    written.push_back(path.string());
  }
  if (context.json) {
    context.out.line(nlohmann::json{{"name", name}, {"files", written}}.dump(2));
    return kOk;
  }
  for (const auto& path : written) context.out.line("  " + path.get<std::string>());
  if (arguments.kind == "express") context.out.line("next: npm install --prefix " + folder.string());
  context.out.line("next: mayfly deploy " + folder.string() + ", or mayfly dev " + folder.string());
  return kOk;
}

}  // namespace

Verb new_verb() {
  auto arguments = std::make_shared<NewArguments>();
  return {
      .name = "new",
      .summary = "Write a small project to begin with",
      .description =
          "Makes a folder with a handler and a mayfly.toml.\n\n"
          "Templates: js and ts (fetch(request), as in Workers), lambda (handler(event, context)), express "
          "(an Express application).",
      .examples = {"mayfly new hello", "mayfly new shop --template ts"},
      .arguments = {{"name", "NAME", "The folder, and the function in it", &arguments->name, ValueKind::text,
                     true},
                    {"-t,--template", "TEMPLATE", "js, ts, lambda or express (js)", &arguments->kind,
                     ValueKind::template_name}},
      .run = [arguments](Context& context) { return create(context, *arguments); },
      .connects = false};
}

}  // namespace mayfly::cli
