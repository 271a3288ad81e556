// Reading files that somebody else has made: what stands there may be a pipe, a device, or as large as the
// disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace mayfly {

inline constexpr std::uint64_t kMaxRegularFile = 64ULL << 20U;

/// The content of a regular file. Links are followed. Does not wait for a pipe's other end. Errors: errno;
/// EINVAL: it is something else than a regular file; EFBIG: it has more than `max_bytes`. Any thread.
[[nodiscard]] Result<std::string> read_regular_file(const std::filesystem::path& file,
                                                    std::uint64_t max_bytes = kMaxRegularFile);

/// The same of one that is open, from where it stands; `name` is for errors.
[[nodiscard]] Result<std::string> read_regular_file(const Fd& file, const std::filesystem::path& name,
                                                    std::uint64_t max_bytes);

}  // namespace mayfly
