// What compilers of C and C++, and their linkers, print.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly::registry {

struct CompilerMessage {
  bool is_error = false;  ///< else a warning
  std::string text;
  std::string file{};  ///< as the compiler names it; empty where it names none
  int line = 0;
  int column = 0;

  /// "resize.cpp:12:5: expected ';'"
  [[nodiscard]] std::string describe() const;
};

/// Errors and warnings of GCC and Clang, and what their linkers miss or find twice, in order; notes, source
/// lines and the rest are left out.
[[nodiscard]] std::vector<CompilerMessage> parse_compiler_log(std::string_view log);

}  // namespace mayfly::registry
