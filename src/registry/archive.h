// Unpacking what was uploaded, trusting none of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace mayfly::registry {

struct ArchiveLimits {
  std::uint64_t max_bytes = 512ULL << 20U;  ///< of all files together, unpacked
  std::uint64_t max_files = 50'000;         ///< entries of any kind
  /// Unpacked bytes for one packed byte, looked at from 16 MiB unpacked on. Source code has some 5:1,
  /// gzip can do 1032:1.
  std::uint64_t max_ratio = 200;
};

/// Whether these are the first bytes (512 are enough) of a tar, a gzip or a zip file.
[[nodiscard]] bool is_archive(std::string_view head);

/// Unpacks a tar, tar.gz or zip into an empty folder. Files get mode 0644 or 0755, nothing else of their
/// metadata is kept. Links may only lead to what is inside, and are made last, so that no file is written
/// through one. On an error the folder is left with part of the content.
///
/// Errors: bad_archive, unsafe_path (detail `path`), too_large (details `limit`, `value`), or errno.
[[nodiscard]] Result<void> unpack(const std::filesystem::path& archive, const std::filesystem::path& folder,
                                  const ArchiveLimits& limits = {});

}  // namespace mayfly::registry
