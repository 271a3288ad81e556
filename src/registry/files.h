// Whole files, for the steps of a build. Any thread. Errors: errno.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "base/result.h"

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

}  // namespace mayfly::registry
