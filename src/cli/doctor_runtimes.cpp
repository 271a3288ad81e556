// What functions are run and built with: each program, its version, where it is, and how to get it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/child.h"
#include "cli/doctor_checks.h"

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

struct Number {
  int major = 0;
  int minor = 0;
  auto operator<=>(const Number&) const = default;
};

struct Program {
  const char* what;
  std::vector<std::string> names;      ///< any of them will do; of PATH, or where it is usually installed
  std::vector<std::string> arguments;  ///< print the version
  Number oldest;                       ///< that will do
  const char* needed_for;
  const char* package;     ///< Debian's
  const char* other = "";  ///< what else would do
};

/// The first number with dots in it; node says v20.1.0, gcc "c++ (Debian 12.2.0-14) 12.2.0".
std::string version_in(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  for (auto at = text.find_first_of(kDigits); at < text.size(); at = text.find_first_of(kDigits, at)) {
    const auto end = std::min(text.find_first_not_of("0123456789.", at), text.size());
    auto number = text.substr(at, end - at);
    if (number.contains('.')) return std::string(number.substr(0, number.find_last_not_of('.') + 1));
    at = end;
  }
  return {};
}

Number number_of(const std::string& version) {
  Number number;
  (void)std::sscanf(version.c_str(), "%d.%d", &number.major, &number.minor);
  return number;
}

/// What a command prints; nothing if it cannot be run or fails.
std::optional<std::string> output_of(const std::vector<std::string>& command) {
  auto done = run(command, {.deadline = std::chrono::seconds(10)});
  if (!done || !done->status.success()) return std::nullopt;
  return done->output;
}

/// The programs behind shims (pyenv, nodenv, volta, …) say themselves where they are.
std::string real_place(const fs::path& program) {
  std::optional<std::string> said;
  if (program.filename().string().starts_with("python"))
    said = output_of({program, "-c", "import sys; print(sys.executable)"});
  else if (program.filename() == "node")
    said = output_of({program, "-p", "process.execPath"});
  const auto place = said.value_or("");
  return place.starts_with('/') ? place.substr(0, place.find('\n')) : program.string();
}

std::string how_to_install(const Program& program) {
  const bool debian = !find_program("apt-get").empty();
  std::string text = debian ? std::string("apt-get install ") + program.package
                            : std::string("install ") + program.what + " with the system's packages";
  if (program.oldest > Number{})
    text += fmt::format(" ({}.{} or newer is needed)", program.oldest.major, program.oldest.minor);
  return text + program.other + "; it is for " + program.needed_for;
}

Finding look_for(const Program& program) {
  Finding old{program.what, Health::missing, "not found", how_to_install(program)};
  for (const auto& name : program.names) {
    const auto file = find_program(name);
    auto command = program.arguments;
    command.insert(command.begin(), file);
    const auto said = file.empty() ? std::nullopt : output_of(command);
    if (!said) continue;  // not there; a shim whose version is not installed; a binary of another machine
    Finding found{program.what, Health::good, "", "", version_in(*said), real_place(file)};
    found.found = found.version + ", " + found.path;
    if (program.arguments.front() == "-m") found.found += " -m " + program.arguments[1];
    if (number_of(found.version) >= program.oldest) return found;
    if (old.health == Health::warning) continue;
    found.health = Health::warning;
    found.found += " is too old";
    found.advice = old.advice;
    old = std::move(found);
  }
  return old;
}

Finding esbuild() {
  std::error_code ignored;
  const char* named = std::getenv("MAYFLY_ESBUILD");
  const auto beside =
      fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path() / "node_modules/.bin/esbuild";
  for (const std::string& place :
       {std::string(named == nullptr ? "" : named), beside.string(), find_program("esbuild")}) {
    const auto said = place.empty() ? std::nullopt : output_of({place, "--version"});
    if (said)
      return {"esbuild", Health::good, version_in(*said) + ", " + place, "", version_in(*said), place};
  }
  return {"esbuild", Health::missing, "not found",
          "npm install esbuild, and name it with MAYFLY_ESBUILD; it is for TypeScript"};
}

/// As the daemon chooses: what the environment names, else the first of these.
std::vector<std::string> compilers(const char* variable, std::vector<std::string> usual) {
  if (const char* named = std::getenv(variable); named != nullptr && *named != '\0') return {named};
  return usual;
}

std::array<Program, 11> programs() {
  const char* value = std::getenv("HOME");
  const std::string home = value == nullptr ? "" : value;
  return {{
      {"node",
       {"node", "nodejs"},
       {"--version"},
       {18, 0},
       "functions in JavaScript and TypeScript",
       "nodejs",
       ", or name one with `mayfly serve --node`"},
      {"npm", {"npm"}, {"--version"}, {}, "the dependencies of a package.json", "npm"},
      {"python",
       {"python3", "python3.14", "python3.13", "python3.12", "python3.11"},
       {"--version"},
       {3, 11},
       "functions in Python",
       "python3",
       ", or name one with `mayfly serve --python`"},
      {"pip", {}, {"-m", "pip", "--version"}, {}, "the dependencies of a requirements.txt", "python3-pip"},
      {"c++", compilers("CXX", {"c++", "g++", "clang++"}), {"--version"}, {}, "functions in C++", "g++"},
      {"cc", compilers("CC", {"cc", "gcc", "clang"}), {"--version"}, {}, "functions in C", "gcc"},
      {"cmake", {"cmake"}, {"--version"}, {}, "functions with a CMakeLists.txt", "cmake make"},
      {"make", {"make", "gmake"}, {"--version"}, {}, "functions with a CMakeLists.txt", "make"},
      {"addr2line",  // where the native runtime looks for it
       {"/usr/bin/addr2line", "/usr/local/bin/addr2line", "/usr/bin/llvm-addr2line"},
       {"--version"},
       {},
       "file and line in the stacks of native functions",
       "binutils"},
      {"go",
       {"go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/snap/bin/go"},
       {"version"},
       {},
       "functions with a go.mod",
       "golang-go"},
      {"cargo",
       {"cargo", home + "/.cargo/bin/cargo", "/usr/local/cargo/bin/cargo"},
       {"--version"},
       {},
       "functions with a Cargo.toml",
       "cargo"},
  }};
}

}  // namespace

std::vector<Finding> check_runtimes() {
  std::vector<Finding> findings;
  std::string python;
  for (auto& program : programs()) {
    // The pip that counts is a module of the Python that runs the functions.
    if (std::string_view(program.what) == "pip" && !python.empty()) program.names = {python};
    findings.push_back(look_for(program));
    if (std::string_view(program.what) == "python") python = findings.back().path;
    if (std::string_view(program.what) == "npm") findings.push_back(esbuild());
  }
  findings.push_back({"exec", Health::good, "runs scripts and programs as they are"});
  return findings;
}

}  // namespace mayfly::cli
