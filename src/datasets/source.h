// Where a dataset comes from: files of this machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace mayfly::datasets {

inline constexpr std::size_t kMaxPatterns = 64;
inline constexpr std::size_t kMaxFiles = 10'000;

/// Absolute paths, in which `*`, `?` and `[…]` stand for parts of a name as in a shell (glob(7)).
using Patterns = std::vector<std::string>;

/// Error: bad_source. `forbidden`: nothing of this folder may become a dataset (the daemon's own: its keys
/// lie there).
[[nodiscard]] Result<void> check_patterns(const Patterns& patterns, const std::filesystem::path& forbidden);

/// A regular file, open for reading.
struct SourceFile {
  std::string path;
  Fd file;
  std::uint64_t size = 0;       ///< bytes, when it was opened
  std::int64_t changed_ns = 0;  ///< when it was changed last, of the system clock
};

/// The files that patterns stand for, each once, in the patterns' order and by name for each. Folders and
/// what is no regular file are left out. A symbolic link is followed where it is named in full; one that was
/// only found by a pattern is left out: whoever may write a folder of logs must not choose what functions
/// see. Errors: source_unreadable, if one cannot be opened, there is none, or there are more than kMaxFiles.
[[nodiscard]] Result<std::vector<SourceFile>> open_files(const Patterns& patterns,
                                                         const std::filesystem::path& forbidden);

/// What differs when a file came, went, grew or was written again.
[[nodiscard]] std::string fingerprint(const std::vector<SourceFile>& files);

}  // namespace mayfly::datasets
