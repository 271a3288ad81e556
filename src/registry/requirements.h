// What a Python project asks for: requirements.txt with all that it includes, or pyproject.toml.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace mayfly::registry {

struct Requirements {
  std::filesystem::path folder;  ///< relative to the root; paths in the files are relative to it
  std::filesystem::path file;    ///< relative to the root: requirements.txt; empty: `lines` are to be used
  std::vector<std::string> lines{};  ///< of pyproject.toml
  std::string text;                  ///< all files together, with their names: what the result depends on
  bool any = false;                  ///< something is asked for
  bool local = false;   ///< something is, or may be, of the source that was deployed (-e ., lib/one.whl)
  bool remote = false;  ///< the deployment says where something is found, or that it is to be built
  std::string warning{};
  std::string not_fixed{};   ///< the first requirement that several versions meet
  bool constrained = false;  ///< a file of constraints may fix it

  /// Packages by name alone, from where the server says: the downloads that all share may be used.
  [[nodiscard]] bool plain() const { return !local && !remote; }
};

/// Reads what counts for an entry: the nearest requirements.txt, else the nearest pyproject.toml's [project]
/// dependencies. Errors: bad_config (not TOML, a file that is included is missing, a variable).
[[nodiscard]] Result<Requirements> read_requirements(const std::filesystem::path& root,
                                                     const std::string& entry);

}  // namespace mayfly::registry
