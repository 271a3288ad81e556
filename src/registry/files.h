// What the steps of a build do with files. Any thread. Errors: errno.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/error.h"

namespace mayfly::registry {

[[nodiscard]] inline Result<void> write_file(const std::filesystem::path& file, std::string_view text) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  stream.close();
  if (!stream) return fail_errno("write " + file.string(), EIO);
  return {};
}

/// unsafe_path: a build has put a link, a pipe or the like where its result is to be, or nothing
/// (base/guarded_folder.h).
[[nodiscard]] inline std::unexpected<Error> left_by_build(const Error& error) {
  return fail(RegistryErrc::unsafe_path, "what the build has left cannot be used: " + error.message);
}

}  // namespace mayfly::registry
