#include "registry/build_native.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/guarded_folder.h"
#include "base/regular_file.h"
#include "base/temp_folder.h"
#include "base/text.h"
#include "registry/compiler_log.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/program_build.h"
#include "registry/source_kind.h"
#include "registry/tool.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// Another number where flags or steps have changed: what was built with others is not used any more.
constexpr std::string_view kRecipe = "native 4\n";
constexpr std::size_t kMostErrors = 10;
/// In the object, if it has a handler (runtimes/native/include/mayfly.h).
constexpr std::string_view kHandlerSymbol{"\0mayfly_abi\0", 12};
/// What a layer holds: the objects, the name of the one that is the function, the compiler's warnings.
constexpr const char* kObjects = "objects";
constexpr const char* kFunction = "function";
constexpr const char* kWarnings = "warnings";

using Names = std::vector<std::string>;

bool is_c(const fs::path& file) { return file.extension() == ".c"; }

/// The program that a variable names, or the first of `names` in PATH; empty if there is none.
fs::path find_tool(const char* variable, const Names& names) {
  const char* wanted = std::getenv(variable);
  const bool given = wanted != nullptr && *wanted != '\0';
  if (given && std::string_view(wanted).contains('/')) return fs::exists(wanted) ? wanted : "";
  if (given) return find_program({}, wanted);
  for (const auto& name : names)
    if (auto tool = find_program({}, name); !tool.empty()) return tool;
  return {};
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

/// No file is taken for an option, or for a file of options.
std::string argument_of(const fs::path& source) {
  return (source.native().starts_with('-') || source.native().starts_with('@') ? "./" : "") + source.string();
}

/// What is built, of what, and by which programs; those that are not needed are empty.
struct Plan {
  fs::path folder;                ///< of the function, relative to the root
  std::vector<fs::path> sources;  ///< relative to the root; none: CMake knows
  fs::path cc, cxx, cmake;

  [[nodiscard]] bool any_cxx() const { return !std::ranges::all_of(sources, is_c); }
};

Result<Plan> make_plan(const fs::path& root, const fs::path& entry) {
  Plan plan;
  const bool cmake = entry.filename() == "CMakeLists.txt";
  const bool folder = fs::is_directory(root / entry);
  plan.folder = folder ? entry.lexically_normal() : entry.parent_path();
  if (!cmake) plan.sources = folder ? sources_in(root, entry) : std::vector{entry};
  if (cmake || std::ranges::any_of(plan.sources, is_c)) {
    plan.cc = find_tool("CC", {"cc", "gcc", "clang"});
    if (plan.cc.empty()) return no_tool("a C compiler (cc, gcc, clang, or the one that CC names)", "gcc");
  }
  if (cmake || plan.any_cxx()) {
    plan.cxx = find_tool("CXX", {"c++", "g++", "clang++"});
    if (plan.cxx.empty())
      return no_tool("a C++ compiler (c++, g++, clang++, or the one that CXX names)", "g++");
  }
  if (cmake) {
    plan.cmake = find_tool("CMAKE", {"cmake"});
    if (plan.cmake.empty()) return no_tool("cmake, which a CMakeLists.txt needs,", "cmake make");
    if (find_program({}, "make").empty() && find_program({}, "gmake").empty())
      return no_tool("make, which cmake needs,", "make");
  }
  return plan;
}

/// Everything that the objects depend on.
Result<std::string> recipe_of(const BuildContext& context, const Plan& plan) {
  const auto source = digest_of(context.root);
  if (!source) return std::unexpected(source.error());
  const auto headers = digest_of(context.options.native_include);
  if (!headers) return std::unexpected(headers.error());
  std::string recipe(kRecipe);
  add_field(recipe, "source", *source);
  add_field(recipe, "entry", context.built.entry);
  add_field(recipe, "headers", *headers);
  add_field(recipe, "cc", compiler_identity(plan.cc));
  add_field(recipe, "cxx", compiler_identity(plan.cxx));
  add_field(recipe, "cmake", identity_of(plan.cmake));
  add_field(recipe, "platform", platform_identity());
  return recipe;
}

/// One build, into the folder of a layer. Its tools run confined; what they need meanwhile lies in a folder
/// that is removed at its end.
class NativeBuild {
 public:
  NativeBuild(BuildContext& context, const Plan& plan, fs::path work, const fs::path& layer)
      : context_(context), plan_(plan), work_(std::move(work)), layer_(layer) {
    fs::create_directory(layer_ / kObjects);
  }

  Result<void> run() {
    auto built = plan_.cmake.empty() ? compile() : cmake();
    if (!built) return built;
    return write_file(layer_ / kWarnings, warnings_);
  }

 private:
  Result<void> compile();
  Result<void> cmake();
  Result<void> take_libraries();
  Result<void> take_object(const fs::path& file, const std::string& name);
  Result<void> tool(const fs::path& program, const Names& arguments);
  [[nodiscard]] Names common_flags() const;
  [[nodiscard]] std::unexpected<Error> failure(const fs::path& program, const ToolResult& result,
                                               std::string_view log) const;

  BuildContext& context_;
  const Plan& plan_;
  const fs::path work_;
  const fs::path& layer_;
  std::string warnings_;  // one a line
};

/// No path of this build may be among what an object holds.
Names NativeBuild::common_flags() const {
  return {"-fno-omit-frame-pointer",
          "-pthread",
          "-fdiagnostics-color=never",
          "-isystem",
          context_.options.native_include.string(),
          "-ffile-prefix-map=" + context_.root.string() + "=.",
          "-ffile-prefix-map=" + work_.string() + "=build"};
}

Result<void> NativeBuild::compile() {
  auto flags = common_flags();
  std::ranges::copy(Names{"-O2", "-g", "-fPIC", "-Wall"}, std::back_inserter(flags));
  Names to_link;
  for (const auto& source : plan_.sources) {
    to_link.push_back(argument_of(source));
    if (!plan_.any_cxx() || !is_c(source)) continue;
    auto arguments = flags;  // C for a linker of C++
    const auto part = (work_ / source.filename()).string() + ".o";
    std::ranges::copy(Names{"-std=gnu17", "-c", to_link.back(), "-o", part}, std::back_inserter(arguments));
    if (auto done = tool(plan_.cc, arguments); !done) return done;
    to_link.back() = part;
  }
  const bool alone = plan_.sources.size() == 1;
  const auto name = (alone ? plan_.sources.front().stem().string() : "function") + ".mayfly.so";
  const auto object = work_ / name;
  auto arguments = flags;
  std::ranges::copy(Names{plan_.any_cxx() ? "-std=c++20" : "-std=gnu17", "-shared", "-Wl,-z,defs",
                          "-Wl,-z,now", "-o", object.string()},
                    std::back_inserter(arguments));
  std::ranges::copy(to_link, std::back_inserter(arguments));
  arguments.emplace_back("-lm");
  if (auto done = tool(plan_.any_cxx() ? plan_.cxx : plan_.cc, arguments); !done) return done;
  if (auto taken = take_object(name, name); !taken) return taken;
  return write_file(layer_ / kFunction, name);
}

Result<void> NativeBuild::cmake() {
  std::string flags;
  for (const auto& flag : common_flags()) flags += (flags.empty() ? "" : " ") + flag;
  const auto build = (work_ / "cmake").string();
  const Names configure{"-S",
                        (context_.root / plan_.folder).string(),
                        "-B",
                        build,
                        "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                        "-DCMAKE_C_COMPILER=" + plan_.cc.string(),
                        "-DCMAKE_CXX_COMPILER=" + plan_.cxx.string(),
                        "-DCMAKE_C_FLAGS=" + flags,
                        "-DCMAKE_CXX_FLAGS=" + flags,
                        "-DCMAKE_CXX_STANDARD=20",
                        "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
                        "-DCMAKE_BUILD_RPATH=$ORIGIN",
                        "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON"};
  if (auto done = tool(plan_.cmake, configure); !done) return done;
  if (auto done = tool(plan_.cmake, {"--build", build, "--parallel", "2"}); !done) return done;
  return take_libraries();
}

/// A file of the work folder becomes an object of the layer.
Result<void> NativeBuild::take_object(const fs::path& file, const std::string& name) {
  const auto work = GuardedFolder::open(work_);
  const auto objects = GuardedFolder::open(layer_ / kObjects);
  if (!work || !objects) return fail_errno("open the folder of a build", EIO);
  const auto object = work->open_file(file);
  if (!object) return left_by_build(object.error());
  return objects->copy(*object, name, 0755);
}

/// All that CMake has linked; the one with a handler is the function.
Result<void> NativeBuild::take_libraries() {
  const auto work = GuardedFolder::open(work_);
  if (!work) return std::unexpected(work.error());
  const auto files = work->files("cmake");
  if (!files) return left_by_build(files.error());
  Names libraries, functions;
  for (const auto& file : *files) {
    const auto name = file.filename().string();
    if (!name.contains(".so") || file.native().contains("/CMakeFiles/")) continue;
    libraries.push_back(name);
    const auto content = work->read(file, context_.options.layer_limits.bytes);
    if (!content) return left_by_build(content.error());
    if (content->contains(kHandlerSymbol)) functions.push_back(name);
    if (auto taken = take_object(file, name); !taken) return taken;
  }
  if (libraries.empty())
    return fail(RegistryErrc::build_failed,
                "CMake built no shared object: CMakeLists.txt needs add_library(NAME MODULE SOURCES)");
  if (functions.size() == 1) return write_file(layer_ / kFunction, functions.front());
  std::string names;
  for (const auto& name : functions.empty() ? libraries : functions)
    names += (names.empty() ? "" : ", ") + name;
  return fail(RegistryErrc::missing_export,
              functions.empty() ? "no library has a handler (MAYFLY_HANDLER) among what CMake built: " + names
                                : "one library is to have a handler, and several have one: " + names);
}

Result<void> NativeBuild::tool(const fs::path& program, const Names& arguments) {
  std::string log;  // more of it than a result keeps: the first error counts
  const BuildOutput keep = [&](std::string_view text) {
    if (log.size() < (1U << 20U)) log.append(text);
    if (context_.output) context_.output(text);
  };
  BuildContext context{context_.root,   context_.built,   context_.function,
                       context_.layers, context_.options, keep};
  ToolRun step;
  step.name = program.filename().string();
  step.argv = {program.string()};
  std::ranges::copy(arguments, std::back_inserter(step.argv));
  const char* path = std::getenv("PATH");
  step.environment = {std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"),
                      "LC_ALL=C", "HOME=/tmp", "CCACHE_DISABLE=1"};
  step.folder = context_.root;
  step.writable = {context_.root, work_};  // what it reads belongs to it, too: it may be readable to us alone
  step.visible = toolchain_of(program);
  step.visible.push_back(context_.options.native_include);
  const auto ran = run_tool(context, step);
  if (!ran) return std::unexpected(ran.error());
  if (!ran->success) return failure(program, *ran, log);
  for (const auto& message : parse_compiler_log(log))
    if (!message.is_error) warnings_ += message.describe() + "\n";
  return {};
}

std::unexpected<Error> NativeBuild::failure(const fs::path& program, const ToolResult& result,
                                            std::string_view log) const {
  std::string text;
  std::optional<CompilerMessage> first;
  std::size_t errors = 0;
  for (auto& message : parse_compiler_log(log)) {
    if (!message.is_error || ++errors > kMostErrors) continue;
    text += (text.empty() ? "" : "\n") + message.describe();
    if (!first) first = std::move(message);
  }
  if (errors > kMostErrors) text += "\n… and " + std::to_string(errors - kMostErrors) + " more";
  if (!first) {
    const auto name = program.filename().string();
    text = name + " ended with " + result.status + ": " + result.tail.substr(0, 1'000);
  }
  const bool compiler = first && first->column > 0;
  auto error = fail(compiler ? RegistryErrc::syntax_error : RegistryErrc::build_failed, std::move(text));
  if (first && !first->file.empty())
    error.error().with("file", first->file).with("line", std::to_string(first->line));
  if (compiler) error.error().with("column", std::to_string(first->column));
  error.error().with("output", result.tail);
  return error;
}

/// The objects of a layer beside their source, where the runtime loads the function.
Result<void> place(BuildContext& context, const fs::path& folder, const fs::path& layer) {
  const auto objects = GuardedFolder::open(layer / kObjects);
  const auto root = GuardedFolder::open(context.root);
  if (!objects || !root) return fail_errno("open what was built", EIO);
  const auto names = objects->files();
  if (!names) return std::unexpected(names.error());
  for (const auto& name : *names) {
    const auto object = objects->open_file(name);
    if (!object) return std::unexpected(object.error());
    // Not through a link that the build has put there.
    if (auto copied = root->copy(*object, folder / name, 0755); !copied) return left_by_build(copied.error());
  }
  const auto function = read_regular_file(layer / kFunction);
  const auto warnings = read_regular_file(layer / kWarnings);
  if (!function || !warnings) return fail_errno("read what was built", EIO);
  context.built.entry = (folder / *function).lexically_normal().string();
  for (std::string_view rest = *warnings; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (context.built.warnings.size() < kMostErrors) context.built.warnings.emplace_back(line);
  }
  return {};
}

}  // namespace

Result<void> build_native(BuildContext& context) {
  const fs::path entry(context.built.entry);
  if (entry.extension() == ".so") return {};
  const auto plan = make_plan(context.root, entry);
  if (!plan) return std::unexpected(plan.error());
  const auto recipe = recipe_of(context, *plan);
  if (!recipe) return std::unexpected(recipe.error());
  auto layer =
      context.layers.get(*recipe, context.options.layer_limits, [&](const fs::path& folder) -> Result<void> {
        const auto work = context.layers.stage();
        if (!work) return std::unexpected(work.error());
        return NativeBuild(context, *plan, work->path(), folder).run();
      });
  if (!layer) return propagate(layer);
  auto placed = place(context, plan->folder, context.layers.path(layer->digest()));
  context.built.layers.push_back(std::move(*layer));
  return placed;
}

}  // namespace mayfly::registry
