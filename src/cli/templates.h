// What `mayfly new` can write: the folders of src/cli/templates, compiled in.
#pragma once

#include <span>
#include <string_view>

namespace mayfly::cli {

struct TemplateFile {
  std::string_view path;     ///< below the project's folder
  std::string_view content;  ///< __NAME__ stands for the function's name; what begins with #! is to be run
};

struct ProjectTemplate {
  std::string_view name;
  std::string_view summary;  ///< one line
  std::span<const TemplateFile> files;
};

/// In the order in which people should read of them; the first one is what they get unasked.
[[nodiscard]] std::span<const ProjectTemplate> project_templates();

}  // namespace mayfly::cli
