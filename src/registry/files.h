// Whole files, for the steps of a build. Any thread. Errors: errno.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/error.h"

namespace mayfly::registry {

[[nodiscard]] inline Result<std::string> read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) return fail_errno("read " + file.filename().string(), EIO);
  return text;
}

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
