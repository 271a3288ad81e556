// The end of what a process wrote to its standard error: it explains some deaths.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace mayfly::pool {

/// Written by the log thread, read by a shard when the process has died. Thread-safe.
class LastWords {
 public:
  static constexpr std::size_t kKept = 2048;
  void append(std::string_view text) {
    const std::lock_guard lock(mutex_);
    text_.append(text);
    if (text_.size() > kKept) text_.erase(0, text_.size() - kKept);
  }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace mayfly::pool
