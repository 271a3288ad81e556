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
  bool local = false;  ///< something is to be built from the source that was deployed (-e ., ./package)
  std::string warning{};

  /// Whether nothing is asked for.
  [[nodiscard]] bool empty() const;
};

/// Reads what counts for an entry: the nearest requirements.txt, else the nearest pyproject.toml's [project]
/// dependencies. Errors: bad_config (not TOML, a file that is included is missing).
[[nodiscard]] Result<Requirements> read_requirements(const std::filesystem::path& root,
                                                     const std::string& entry);

}  // namespace mayfly::registry
