// What a process writes, as lines for the log; the end of it is kept for when the process fails.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace mayfly::exec {

class Lines {
 public:
  /// Bytes that are kept for a failure.
  static constexpr std::size_t kTail = 4096;

  /// `line` gets each line without its end, cut to what a log record holds, and its length before that.
  explicit Lines(std::function<void(std::string_view text, std::size_t length)> line)
      : line_(std::move(line)) {}

  void take(std::string_view bytes);
  /// What is there is a line, even without an end.
  void finish();
  /// The last of what was written, from the beginning of a line where that is possible.
  [[nodiscard]] std::string tail() const;

 private:
  void emit();

  std::function<void(std::string_view, std::size_t)> line_;
  std::string pending_;
  std::size_t length_ = 0;  // of the line that is pending, with what was cut off
  std::string tail_;
};

}  // namespace mayfly::exec
