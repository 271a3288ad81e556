// A new file that nobody but its owner reads: a key, a token.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly {

/// Makes `file` with mode 0600. It appears with all of `text` or not at all, also after a power cut: it is
/// written under another name, linked into place, and its folder is synced. Errors: errno; EEXIST if there is
/// one already, which stays as it is.
[[nodiscard]] Result<void> create_private_file(const std::filesystem::path& file, std::string_view text);

/// The text of such a file, of at most 4 KiB, without blanks and line ends around it. Errors: errno; ENOENT
/// if there is none, EPERM if others may read it, EINVAL if it is empty.
[[nodiscard]] Result<std::string> read_private_file(const std::filesystem::path& file);

}  // namespace mayfly
