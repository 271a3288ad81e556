#include <vector>

#include "base/guarded_folder.h"
#include "base/regular_file.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/program_build.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

bool has_program(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".go" || entry.path().native().ends_with("_test.go")) continue;
    const auto text = read_regular_file(entry.path()).value_or("");
    if (text.starts_with("package main") || text.contains("\npackage main")) return true;
  }
  return false;
}

/// The last part of the module's path: what `go build` would call the program.
std::string module_name(const fs::path& folder) {
  const auto text = read_regular_file(folder / "go.mod").value_or("");
  const auto begin = text.starts_with("module ") ? 0 : text.find("\nmodule ") + 1;
  if (begin == 0 && !text.starts_with("module ")) return "main";
  auto name = text.substr(begin + 7, text.find('\n', begin) - begin - 7);
  while (!name.empty() && (name.back() == ' ' || name.back() == '\r' || name.back() == '"')) name.pop_back();
  name.erase(0, name.rfind('/') + 1);
  return name.empty() ? "main" : name;
}

}  // namespace

bool go_uses_lambda(const fs::path& folder) {
  return read_regular_file(folder / "go.mod").value_or("").contains("github.com/aws/aws-lambda-go");
}

Result<Toolchain> find_go() {
  Toolchain toolchain;
  toolchain.program = find_toolchain_program("go", {"/usr/local/go/bin", "/usr/lib/go/bin", "/snap/bin"});
  const auto& go = toolchain.program;
  if (go.empty()) return no_tool("Go, which a go.mod needs,", "golang-go");
  toolchain.visible = toolchain_of(go);
  std::error_code error;
  const auto version = fs::canonical(go, error).parent_path().parent_path() / "VERSION";
  toolchain.identity =
      identity_of(go) + "\n" + identity_of(version) + "\n" + compiler_identity(find_program({}, "gcc"));
  return toolchain;
}

Result<BuiltProgram> build_go(const ProgramBuild& build, const Toolchain& toolchain, const fs::path& output) {
  const auto cache = build.caches / "go";
  if (auto made = make_folder(cache); !made) return propagate(made);
  const auto& chosen = build.context.built.config.program;

  ToolRun step;
  step.name = "go build";
  // No code of what is built runs in this, and what is downloaded is checked by its digest (sum.golang.org):
  // one cache may serve all.
  step.argv = {toolchain.program.string(), "build", "-trimpath",
               "-buildvcs=false",          "-o",    output.string() + "/"};
  step.environment = {"GOPATH=" + cache.string(),
                      "GOMODCACHE=" + (cache / "mod").string(),
                      "GOCACHE=" + (cache / "build").string(),
                      "GOTOOLCHAIN=local",
                      "GOTELEMETRY=off",
                      "GOFLAGS=-modcacherw"};
  step.folder = build.folder;
  step.writable = {build.context.root, output};
  step.caches = {cache};
  step.visible = toolchain.visible;
  step.network = !fs::exists(build.folder / "vendor");
  if (!chosen.empty())
    step.argv.push_back("./" + chosen);
  else
    step.argv.emplace_back(has_program(build.folder) ? "." : "./...");  // of a library it lies below
  if (auto ran = build.run(step); !ran) return propagate(ran);

  const auto guarded = GuardedFolder::open(output);
  if (!guarded) return std::unexpected(guarded.error());
  const auto programs = guarded->files();
  if (!programs) return left_by_build(programs.error());
  const auto name = chosen.empty()      ? module_name(build.folder)
                    : programs->empty() ? ""
                                        : programs->front().string();
  if (programs->size() == 1) return BuiltProgram{output, programs->front(), name};
  std::string names;
  for (const auto& program : *programs) names += (names.empty() ? "" : ", ") + program.string();
  return fail(RegistryErrc::no_entry,
              programs->empty()
                  ? "the module has no package main: nothing that can be started"
                  : "the module has several programs (" + names +
                        "), and none in the folder of go.mod: name the folder of one of them in "
                        "mayfly.toml, like program = \"cmd/" +
                        programs->front().string() + "\"");
}

}  // namespace mayfly::registry
