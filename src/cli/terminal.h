// What is printed: colour, tables, progress. Colour and progress only where a person looks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mayfly::cli {

enum class Style { plain, bold, dim, red, green, yellow, cyan };

/// One output stream. write() may be called from several threads; a call's text stays together.
class Output {
 public:
  /// Colour if `stream` is a terminal, NO_COLOR is not set (or empty) and TERM is not "dumb".
  explicit Output(std::FILE* stream);
  Output(std::FILE* stream, bool terminal, bool colour)
      : stream_(stream), terminal_(terminal), colour_(colour) {}

  void write(std::string_view text);
  void line(std::string_view text);
  /// The text in a style, if there is colour.
  [[nodiscard]] std::string paint(Style style, std::string_view text) const;
  [[nodiscard]] bool is_terminal() const { return terminal_; }

 private:
  std::FILE* stream_;
  bool terminal_;
  bool colour_;
  std::mutex mutex_;
};

/// Columns of text. Cells may be UTF-8 (each code point counts as one column) and hold colour.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  /// Left-aligned columns, two blanks between them, the header dim, no blanks at the ends of lines.
  [[nodiscard]] std::string text(const Output& output) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Columns that the text takes on a terminal: code points, without escape sequences.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// In single quotes for a shell.
[[nodiscard]] std::string in_quotes(std::string_view text);
/// The text without control characters that would move the cursor or change colours; tabs stay.
[[nodiscard]] std::string printable(std::string_view text);

/// Says on a terminal that something takes long, and how long already, from 300 ms on, until it is destroyed.
class Progress {
 public:
  Progress(Output& output, std::string text);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// What is being done now: a line of a tool's output. Any thread.
  void say(std::string_view line);

 private:
  void run();
  [[nodiscard]] std::string line(std::string_view frame) const;

  Output& output_;
  const std::string text_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::string said_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace mayfly::cli
