// What the builds of programs from source have in common.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "registry/build_step.h"
#include "registry/tool.h"

namespace mayfly::registry {

/// A program that was built, and is to be copied.
struct BuiltProgram {
  std::filesystem::path folder;  ///< what the build could write: other people's (base/guarded_folder.h)
  std::filesystem::path file;    ///< relative to it
  std::string name;
};

/// What builds it.
struct Toolchain {
  std::filesystem::path program;                 ///< go, cargo
  std::vector<std::filesystem::path> visible{};  ///< ToolRun::visible
  std::string identity{};                        ///< changes when anything of it does
};

/// One build.
struct ProgramBuild {
  BuildContext& context;
  std::filesystem::path folder;  ///< of go.mod or Cargo.toml; absolute
  std::filesystem::path caches;  ///< for what is kept between builds

  /// Runs a tool with its folder first in PATH and what the network needs. Its own words are the answer when
  /// it fails.
  [[nodiscard]] Result<void> run(ToolRun step) const;
};

/// An executable of PATH, or else of one of these folders; empty if there is none.
[[nodiscard]] std::filesystem::path find_toolchain_program(const std::string& name,
                                                           const std::vector<std::filesystem::path>& folders);
/// The home of the daemon's user; empty if it has none.
[[nodiscard]] std::filesystem::path home();
/// build_failed: a tool is missing that this Debian package has.
[[nodiscard]] std::unexpected<Error> no_tool(const std::string& what, const std::string& package);
/// Makes a folder, and those on the way to it.
[[nodiscard]] Result<void> make_folder(const std::filesystem::path& folder);

/// Removes all but the files and folders of a folder that were changed last.
void keep_newest(const std::filesystem::path& folder, std::size_t count);

/// The compiler's first complaint in the output of Go ("./a.go:3:5: …") or of Rust ("--> src/main.rs:3:5").
struct Complaint {
  std::string file;
  std::string line;
  std::string column;
};
[[nodiscard]] Complaint first_complaint(std::string_view output);
/// The lines of a tool's output that are worth showing in a message: no progress, at most 30.
[[nodiscard]] std::string telling_part(std::string_view output);

/// build_failed: there is none.
[[nodiscard]] Result<Toolchain> find_go();
/// The one that rust-toolchain.toml asks for, if rustup has it; if not, a warning of the deploy says which
/// one it is instead.
[[nodiscard]] Result<Toolchain> find_cargo(const ProgramBuild& build);
/// `output`: an empty folder for the program.
[[nodiscard]] Result<BuiltProgram> build_go(const ProgramBuild& build, const Toolchain& toolchain,
                                            const std::filesystem::path& output);
[[nodiscard]] Result<BuiltProgram> build_cargo(const ProgramBuild& build, const Toolchain& toolchain);
/// Whether the program will ask for its invocations by Lambda's Runtime API.
[[nodiscard]] bool go_uses_lambda(const std::filesystem::path& folder);
[[nodiscard]] bool cargo_uses_lambda(const std::filesystem::path& folder);

}  // namespace mayfly::registry
