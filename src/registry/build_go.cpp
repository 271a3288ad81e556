#include <vector>

#include "registry/error.h"
#include "registry/files.h"
#include "registry/program_build.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

bool has_program(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".go" || entry.path().native().ends_with("_test.go")) continue;
    const auto text = read_file(entry.path()).value_or("");
    if (text.starts_with("package main") || text.contains("\npackage main")) return true;
  }
  return false;
}

/// The last part of the module's path: what `go build` would call the program.
std::string module_name(const fs::path& folder) {
  const auto text = read_file(folder / "go.mod").value_or("");
  const auto begin = text.starts_with("module ") ? 0 : text.find("\nmodule ") + 1;
  if (begin == 0 && !text.starts_with("module ")) return "main";
  auto name = text.substr(begin + 7, text.find('\n', begin) - begin - 7);
  while (!name.empty() && (name.back() == ' ' || name.back() == '\r' || name.back() == '"')) name.pop_back();
  name.erase(0, name.rfind('/') + 1);
  return name.empty() ? "main" : name;
}

}  // namespace

bool go_uses_lambda(const fs::path& folder) {
  return read_file(folder / "go.mod").value_or("").contains("github.com/aws/aws-lambda-go");
}

Result<BuiltProgram> build_go(const ProgramBuild& build) {
  const auto go = find_toolchain_program("go", {"/usr/local/go/bin", "/usr/lib/go/bin", "/snap/bin"});
  if (go.empty()) return no_tool("Go, which a go.mod needs,", "golang-go");
  const auto cache = build.caches / "go";
  if (auto made = make_folder(cache); !made) return propagate(made);
  const auto output = build.folder / ".mayfly-go";
  if (auto made = make_folder(output); !made) return propagate(made);

  ToolRun step;
  step.name = "go build";
  // No code of what is built runs in this: one cache may serve all.
  step.argv = {go.string(), "build", "-trimpath", "-buildvcs=false", "-o", output.string() + "/"};
  step.environment = {"GOPATH=" + cache.string(),
                      "GOMODCACHE=" + (cache / "mod").string(),
                      "GOCACHE=" + (cache / "build").string(),
                      "GOTOOLCHAIN=local",
                      "GOTELEMETRY=off",
                      "GOFLAGS=-modcacherw"};
  step.folder = build.folder;
  step.writable = {build.context.root};
  step.caches = {cache};
  step.visible = toolchain_of(go);
  step.network = !fs::exists(build.folder / "vendor");
  step.argv.emplace_back(has_program(build.folder) ? "." : "./...");  // of a library it lies below
  if (auto ran = build.run(step); !ran) return propagate(ran);

  std::vector<fs::path> programs;
  for (const auto& entry : fs::directory_iterator(output)) programs.push_back(entry.path());
  if (programs.size() == 1) return BuiltProgram{programs.front(), module_name(build.folder)};
  return fail(RegistryErrc::no_entry, programs.empty()
                                          ? "the module has no package main: nothing that can be started"
                                          : "the module has several packages main, and none in the folder of "
                                            "go.mod: which one is the function?");
}

}  // namespace mayfly::registry
