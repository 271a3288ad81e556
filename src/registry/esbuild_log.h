// What esbuild prints when it is not content.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly::registry {

struct EsbuildMessage {
  bool is_error = false;  ///< or a warning
  std::string text;
  std::string file;  ///< relative to where esbuild ran; empty if it names no place
  int line = 0;      ///< from 1
  int column = 0;    ///< in bytes, from 1

  /// "index.ts:3:5: Expected …"
  [[nodiscard]] std::string describe() const;
};

/// Reads esbuild's log as it comes with --color=false: "✘ [ERROR] text", a blank line, " file:line:column:",
/// then an excerpt of the source, which is left out. (Its command line has no log in a form for machines.)
[[nodiscard]] std::vector<EsbuildMessage> parse_esbuild_log(std::string_view log);

}  // namespace mayfly::registry
