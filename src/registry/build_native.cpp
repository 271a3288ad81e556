#include "registry/build_native.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/child.h"
#include "base/temp_folder.h"
#include "base/text.h"
#include "registry/compiler_log.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/source_kind.h"
#include "sandbox/confined.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::minutes kLimit{2};
/// Of each process of a compiler: templates can ask for all there is.
constexpr std::uint64_t kMostMemory = 2ULL << 30U;
constexpr std::size_t kMostErrors = 10;
/// In the object, if it has a handler (runtimes/native/include/mayfly.h).
constexpr std::string_view kHandlerSymbol{"\0mayfly_abi\0", 12};

using Names = std::vector<std::string>;

bool is_c(const fs::path& file) { return file.extension() == ".c"; }

/// The program that a variable names, or the first of `names` in PATH; empty if there is none.
fs::path find_tool(const char* variable, const Names& names) {
  const char* wanted = std::getenv(variable);
  if (wanted != nullptr && *wanted != '\0') return find_program(wanted);
  for (const auto& name : names)
    if (auto tool = find_program(name); !tool.empty()) return tool;
  return {};
}

std::unexpected<Error> no_tool(const std::string& what, const std::string& package) {
  return fail(RegistryErrc::build_failed, what + " was not found on the server: apt-get install " + package);
}

/// One build: its tools run confined, see the source read-only, and write to a folder that is removed at its
/// end.
class NativeBuild {
 public:
  explicit NativeBuild(BuildContext& context)
      : context_(context), work_(context.root.parent_path()), until_(steady_clock::now() + kLimit) {}

  Result<void> run();

 private:
  Result<void> compile(const std::vector<fs::path>& sources, const fs::path& object);
  Result<void> cmake(const fs::path& folder);
  Result<void> take_library(const fs::path& folder);
  Result<void> tool(const fs::path& program, const Names& arguments);
  Result<void> find_compilers(bool c, bool cxx);
  [[nodiscard]] Names common_flags() const;
  std::unexpected<Error> failure(const fs::path& program, const sandbox::ConfinedResult& result,
                                 std::string_view log) const;
  void keep_warnings(std::string_view log);

  BuildContext& context_;
  TempFolder work_;
  steady_clock::time_point until_;
  fs::path cc_, cxx_;
};

/// No file is taken for an option.
std::string argument_of(const fs::path& source) {
  return (source.native().starts_with('-') ? "./" : "") + source.string();
}

std::vector<fs::path> sources_in(const fs::path& root, const fs::path& folder) {
  std::vector<fs::path> sources;
  for (const auto& entry : fs::directory_iterator(root / folder)) {
    const auto name = entry.path().filename();
    if (entry.is_regular_file() && !name.native().starts_with('.') && name != "CMakeLists.txt" &&
        runtime_of(name.native()) == Runtime::native)
      sources.push_back((folder / name).lexically_normal());
  }
  std::ranges::sort(sources);  // the order is that of static constructors
  return sources;
}

Result<void> NativeBuild::run() {
  if (work_.path().empty()) return fail_errno("make a folder to build in");
  auto& entry = context_.built.entry;
  const fs::path given(entry);
  if (given.filename() == "CMakeLists.txt") return cmake(given.parent_path());
  if (given.extension() == ".so") return {};
  const bool folder = fs::is_directory(context_.root / given);
  const auto object = folder ? (given / "function.mayfly.so").lexically_normal()
                             : fs::path(given).replace_extension(".mayfly.so");
  const auto sources = folder ? sources_in(context_.root, given) : std::vector{given};
  auto compiled = compile(sources, object);
  if (compiled) entry = object.string();
  return compiled;
}

/// What the bytes of an object depend on besides its source: no path of this build may be among it.
Names NativeBuild::common_flags() const {
  return {"-O2",
          "-g",
          "-fPIC",
          "-fno-omit-frame-pointer",
          "-pthread",
          "-fdiagnostics-color=never",
          "-I" + context_.options.native_include.string(),
          "-ffile-prefix-map=" + context_.root.string() + "=.",
          "-ffile-prefix-map=" + work_.path().string() + "=build"};
}

Result<void> NativeBuild::find_compilers(bool c, bool cxx) {
  if (c) cc_ = find_tool("CC", {"cc", "gcc", "clang"});
  if (cxx) cxx_ = find_tool("CXX", {"c++", "g++", "clang++"});
  if (c && cc_.empty()) return no_tool("a C compiler (cc, gcc, clang, or the one that CC names)", "gcc");
  if (cxx && cxx_.empty())
    return no_tool("a C++ compiler (c++, g++, clang++, or the one that CXX names)", "g++");
  return {};
}

Result<void> NativeBuild::compile(const std::vector<fs::path>& sources, const fs::path& object) {
  const bool any_cxx = !std::ranges::all_of(sources, is_c);
  if (auto found = find_compilers(std::ranges::any_of(sources, is_c), any_cxx); !found)
    return propagate(found);
  Names to_link;
  for (const auto& source : sources) {
    if (!any_cxx || !is_c(source)) {
      to_link.push_back(argument_of(source));
      continue;
    }
    const auto part = (work_.path() / source.filename()).string() + ".o";  // C for a C++ linker
    auto arguments = common_flags();
    std::ranges::copy(Names{"-std=gnu17", "-Wall", "-c", argument_of(source), "-o", part},
                      std::back_inserter(arguments));
    if (auto done = tool(cc_, arguments); !done) return done;
    to_link.push_back(part);
  }
  const auto linked = work_.path() / "function.so";
  auto arguments = common_flags();
  std::ranges::copy(Names{any_cxx ? "-std=c++20" : "-std=gnu17", "-Wall", "-shared", "-Wl,-z,defs",
                          "-Wl,-z,now", "-o", linked.string()},
                    std::back_inserter(arguments));
  std::ranges::copy(to_link, std::back_inserter(arguments));
  arguments.emplace_back("-lm");
  if (auto done = tool(any_cxx ? cxx_ : cc_, arguments); !done) return done;
  fs::copy_file(linked, context_.root / object, fs::copy_options::overwrite_existing);
  return {};
}

Result<void> NativeBuild::cmake(const fs::path& folder) {
  const auto program = find_tool("CMAKE", {"cmake"});
  if (program.empty()) return no_tool("cmake, which a CMakeLists.txt needs,", "cmake make");
  if (auto found = find_compilers(true, true); !found) return propagate(found);
  std::string flags;
  for (const auto& flag : common_flags())
    if (flag != "-O2" && flag != "-g" && flag != "-fPIC") flags += (flags.empty() ? "" : " ") + flag;
  const auto build = (work_.path() / "cmake").string();
  const Names configure{"-S",
                        (context_.root / folder).string(),
                        "-B",
                        build,
                        "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                        "-DCMAKE_C_COMPILER=" + cc_.string(),
                        "-DCMAKE_CXX_COMPILER=" + cxx_.string(),
                        "-DCMAKE_C_FLAGS=" + flags,
                        "-DCMAKE_CXX_FLAGS=" + flags,
                        "-DCMAKE_CXX_STANDARD=20",
                        "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
                        "-DCMAKE_BUILD_RPATH=$ORIGIN",
                        "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON"};
  if (auto done = tool(program, configure); !done) return done;
  if (auto done = tool(program, {"--build", build, "--parallel", "2"}); !done) return done;
  return take_library(folder);
}

/// The libraries that CMake has built, beside its CMakeLists.txt; the one with a handler is the function.
Result<void> NativeBuild::take_library(const fs::path& folder) {
  std::vector<fs::path> libraries, functions;
  for (const auto& entry : fs::recursive_directory_iterator(work_.path() / "cmake")) {
    if (!entry.is_regular_file() || entry.is_symlink() || !entry.path().filename().string().contains(".so"))
      continue;
    if (entry.path().string().contains("/CMakeFiles/")) continue;
    libraries.push_back(entry.path());
    const auto content = read_file(entry.path());
    if (content && content->contains(kHandlerSymbol)) functions.push_back(entry.path());
  }
  if (libraries.empty())
    return fail(RegistryErrc::build_failed,
                "CMake built no shared object: CMakeLists.txt needs add_library(NAME MODULE SOURCES)");
  if (functions.size() != 1) {
    std::string names;
    for (const auto& library : functions.empty() ? libraries : functions)
      names += (names.empty() ? "" : ", ") + library.filename().string();
    return fail(RegistryErrc::missing_export,
                functions.empty()
                    ? "no library has a handler (MAYFLY_HANDLER) among what CMake built: " + names
                    : "one library is to have a handler, and several have one: " + names);
  }
  for (const auto& library : libraries)
    fs::copy_file(library, context_.root / folder / library.filename(), fs::copy_options::overwrite_existing);
  context_.built.entry = (folder / functions.front().filename()).string();
  return {};
}

Result<void> NativeBuild::tool(const fs::path& program, const Names& arguments) {
  sandbox::ConfinedCommand command;
  command.argv = {program.string()};
  std::ranges::copy(arguments, std::back_inserter(command.argv));
  const char* path = std::getenv("PATH");
  command.environment = {std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"),
                         "LC_ALL=C", "HOME=/tmp", "CCACHE_DISABLE=1"};
  command.folder = context_.root;
  command.writable = {context_.root, work_.path()};  // both: it is to read what only the daemon's user may
  command.visible = {context_.options.native_include};
  command.limit = std::max(std::chrono::ceil<milliseconds>(until_ - steady_clock::now()), milliseconds(1));
  command.max_memory = kMostMemory;
  std::string log;
  command.output = [&](std::string_view text) {
    if (log.size() < (1U << 20U)) log.append(text);
    if (context_.output) context_.output(text);
  };
  const auto ran = sandbox::run_confined(command);
  if (!ran)
    return fail(RegistryErrc::build_failed,
                program.filename().string() + " cannot be run: " + ran.error().message);
  if (ran->timed_out || !ran->status.success()) return failure(program, *ran, log);
  keep_warnings(log);
  return {};
}

std::unexpected<Error> NativeBuild::failure(const fs::path& program, const sandbox::ConfinedResult& result,
                                            std::string_view log) const {
  const auto name = program.filename().string();
  const auto with_output = [&](std::unexpected<Error> error) {
    error.error().with("output", result.tail);
    return error;
  };
  if (result.timed_out)
    return with_output(
        fail(RegistryErrc::build_failed, "the build took longer than " + format_duration(kLimit)));
  std::string text;
  std::optional<CompilerMessage> first;
  std::size_t errors = 0;
  for (auto& message : parse_compiler_log(log)) {
    if (!message.is_error || ++errors > kMostErrors) continue;
    text += (text.empty() ? "" : "\n") + message.describe();
    if (!first) first = std::move(message);
  }
  if (!first)
    return with_output(fail(RegistryErrc::build_failed, name + " ended with " + result.status.text() + ": " +
                                                            result.tail.substr(0, 1'000)));
  if (errors > kMostErrors) text += "\n… and " + std::to_string(errors - kMostErrors) + " more";
  auto error = with_output(
      fail(first->column > 0 ? RegistryErrc::syntax_error : RegistryErrc::build_failed, std::move(text)));
  if (!first->file.empty()) error.error().with("file", first->file).with("line", std::to_string(first->line));
  if (first->column > 0) error.error().with("column", std::to_string(first->column));
  return error;
}

void NativeBuild::keep_warnings(std::string_view log) {
  for (const auto& message : parse_compiler_log(log))
    if (!message.is_error && context_.built.warnings.size() < kMostErrors)
      context_.built.warnings.push_back(message.describe());
}

}  // namespace

Result<void> build_native(BuildContext& context) { return NativeBuild(context).run(); }

}  // namespace mayfly::registry
