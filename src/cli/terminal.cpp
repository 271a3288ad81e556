#include "cli/terminal.h"

#include <sys/ioctl.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace mayfly::cli {
namespace {

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') &&
         (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

const char* code(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\033[1m";
    case Style::dim:
      return "\033[2m";
    case Style::red:
      return "\033[31m";
    case Style::green:
      return "\033[32m";
    case Style::yellow:
      return "\033[33m";
    case Style::cyan:
      return "\033[36m";
  }
  return "";
}

}  // namespace

Output::Output(std::FILE* stream)
    : stream_(stream), terminal_(::isatty(::fileno(stream)) == 1), colour_(terminal_ && wants_colour()) {}

void Output::write(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fflush(stream_);
}

void Output::line(std::string_view text) { write(std::string(text) + "\n"); }

std::string Output::paint(Style style, std::string_view text) const {
  if (!colour_ || style == Style::plain || text.empty()) return std::string(text);
  return std::string(code(style)).append(text).append("\033[0m");
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = std::min(text.find('m', i), text.size());
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) {
      ++width;
    }
  }
  return width;
}

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string printable(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 ? byte != 0x7F : (c == '\n' || c == '\t')) clean += c;
  }
  return clean;
}

std::string Table::text(const Output& output) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    std::size_t owed = 0;  // blanks that are written only if another cell follows
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!row[i].empty()) {
        line.append(owed, ' ');
        owed = 0;
        line += &row == rows_.data() ? output.paint(Style::dim, row[i]) : row[i];
      }
      owed += widths[i] - display_width(row[i]) + 2;
    }
    text += line + "\n";
  }
  return text;
}

Progress::Progress(Output& output, std::string text) : output_(output), text_(std::move(text)) {
  if (output_.is_terminal()) thread_ = std::thread([this] { run(); });
}

Progress::~Progress() {
  {
    const std::scoped_lock lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Progress::say(std::string_view line) {
  auto text = printable(line);
  std::ranges::replace(text, '\t', ' ');
  const std::scoped_lock lock(mutex_);
  said_ = std::move(text);
}

/// Fits in one line of the terminal: a longer one could not be taken back.
std::string Progress::line(std::string_view frame) const {
  std::string plain = " " + text_;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began_).count();
  if (seconds > 0) plain += "  " + std::to_string(seconds) + " s";
  winsize size{};
  const std::size_t columns =
      ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  const auto used = display_width(plain) + 4;
  std::string said;
  if (!said_.empty() && used + 10 < columns) {
    said = said_;
    while (display_width(said) > columns - used) said.pop_back();
    while (!said.empty() && (static_cast<unsigned char>(said.back()) & 0x80U) != 0)
      said.pop_back();  // half a sign
  }
  if (!said.empty()) plain += "  " + output_.paint(Style::dim, said);
  return "\r" + output_.paint(Style::cyan, frame) + plain + "\033[K";
}

void Progress::run() {
  using namespace std::chrono_literals;
  static constexpr std::array<const char*, 8> kFrames{"⠋", "⠙", "⠸", "⠴", "⠦", "⠧", "⠇", "⠏"};
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, 300ms, [this] { return done_; })) return;
  for (std::size_t i = 0;; ++i) {
    output_.write(line(kFrames[i % kFrames.size()]));
    if (changed_.wait_for(lock, 100ms, [this] { return done_; })) break;
  }
  output_.write("\r\033[K");
}

}  // namespace mayfly::cli
