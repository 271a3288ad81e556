// One function's log on disk: JSON lines, rotated, bounded.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace mayfly::logs {

/// FILE, FILE.1, FILE.2 …: at most `kept` files of `max_size` bytes each. One thread at a time. A disk that
/// is full costs lines, never more.
class LogFile {
 public:
  explicit LogFile(std::filesystem::path path, std::uintmax_t max_size = 8U << 20U, int kept = 3);
  void append(std::string_view line);
  /// The newest `most` lines for which `wanted` holds (a substring; empty: all), oldest first.
  [[nodiscard]] std::vector<std::string> tail(std::size_t most, std::string_view wanted) const;

 private:
  void open();
  void rotate();
  std::filesystem::path path_;
  std::uintmax_t max_size_;
  int kept_;
  Fd fd_;
  std::uintmax_t size_ = 0;
};

}  // namespace mayfly::logs
