// Changing one key of a mayfly.toml as its owner would: everything else in it stays as it is, to the byte.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly::cli {

/// What one key of [functions.NAME] is to be.
struct TomlChange {
  std::string function;
  std::string key;
  std::string value;  ///< as TOML writes it: `1`, `"background"`
};

/// The text with the change: the old value's place has the new one, or a line is added behind the table's
/// last. The result is parsed, and differs from the old in that one key alone. A file with one function alone
/// means that one, whatever its name. Errors (failed): it is no TOML, has no such function, or writes it in a
/// way that is not changed here (an inline table); the message says which line to write by hand.
[[nodiscard]] Result<std::string> changed_toml(const std::string& text, const TomlChange& change);

/// The lines in which two texts differ, with three around them, as `diff -u` has them. They differ in one
/// place.
[[nodiscard]] std::string line_diff(std::string_view before, std::string_view after, std::string_view name);

/// Puts `text` in the place of the file's content at once: whoever reads it sees the old or the new. Its mode
/// stays; of a link, what it leads to is replaced. Error: errno; failed: it has no longer the content
/// `before`.
[[nodiscard]] Result<void> replace_file(const std::string& file, std::string_view before,
                                        std::string_view text);

}  // namespace mayfly::cli
