// One line of a requirements file, as pip reads it, and what it means for an installation.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::registry {

struct RequirementLine {
  enum class Kind {
    nothing,  ///< no requirement: empty, or a setting that changes nothing of note
    plain,    ///< a package by its name: it comes from the index that the server has chosen
    include,  ///< -r, -c: another file of the deployment
    remote,  ///< somewhere else in the network (a URL, an index of its own), or built from source at its wish
    local,   ///< a file or folder of the deployment, or nothing that is known: it may be one
  };
  Kind kind = Kind::local;
  std::string file{};  ///< of an include
};

/// The lines of a file without comments, those that end with a backslash joined with the next. Nothing if it
/// is written so that pip could see other lines than these: another encoding, or characters that are line
/// breaks for Python.
[[nodiscard]] std::optional<std::vector<std::string>> requirement_lines(std::string_view text);

/// What is not surely harmless is not `plain` and not `nothing`: an option that is abbreviated or unknown,
/// two on one line, a URL.
[[nodiscard]] RequirementLine read_requirement_line(std::string_view line);

}  // namespace mayfly::registry
