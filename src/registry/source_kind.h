// Which runtime runs a file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "registry/function.h"

namespace mayfly::registry {

/// By its name alone: .js … .py .c .cpp …, and the names that stand for a whole project (CMakeLists.txt,
/// go.mod, Cargo.toml, bootstrap).
[[nodiscard]] std::optional<Runtime> runtime_of(std::string_view file_name);

/// Whether a file that begins so is a program: an ELF file, or a script with "#!".
[[nodiscard]] bool is_program(std::string_view first_bytes);

/// By its name; else exec if it is a program. Nothing if no runtime here runs it, or there is no such file.
[[nodiscard]] std::optional<Runtime> runtime_of_file(const std::filesystem::path& file);

/// Whether a version is driven by Lambda's Runtime API: an executable called "bootstrap", or with a handler.
[[nodiscard]] bool speaks_lambda(const Version& version);

/// The names of files that some runtime here runs, for messages.
[[nodiscard]] std::string known_sources();

}  // namespace mayfly::registry
