#include "logs/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <fstream>

namespace mayfly::logs {

LogFile::LogFile(std::filesystem::path path, std::uintmax_t max_size, int kept)
    : path_(std::move(path)), max_size_(max_size), kept_(kept) {
  open();
}

void LogFile::open() {
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat info{};
  size_ = fd_ && ::fstat(fd_.get(), &info) == 0 ? static_cast<std::uintmax_t>(info.st_size) : 0;
}

void LogFile::rotate() {
  std::error_code ignored;
  const auto numbered = [&](int i) {
    return i == 0 ? path_ : std::filesystem::path(path_.string() + "." + std::to_string(i));
  };
  for (int i = kept_ - 1; i > 0; --i) std::filesystem::rename(numbered(i - 1), numbered(i), ignored);
  open();
}

void LogFile::append(std::string_view line) {
  if (size_ + line.size() > max_size_ && size_ > 0) rotate();
  std::array<iovec, 2> parts{iovec{const_cast<char*>(line.data()), line.size()},
                             iovec{const_cast<char*>("\n"), 1}};
  const ssize_t wrote = fd_ ? ::writev(fd_.get(), parts.data(), parts.size()) : -1;
  if (wrote > 0) size_ += static_cast<std::uintmax_t>(wrote);
}

std::vector<std::string> LogFile::tail(std::size_t most, std::string_view wanted) const {
  std::deque<std::string> lines;
  for (int i = kept_ - 1; i >= 0 && most > 0; --i) {
    std::ifstream file(i == 0 ? path_.string() : path_.string() + "." + std::to_string(i));
    for (std::string line; std::getline(file, line);) {
      if (!wanted.empty() && line.find(wanted) == std::string::npos) continue;
      lines.push_back(std::move(line));
      if (lines.size() > most) lines.pop_front();
    }
  }
  return {std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end())};
}

}  // namespace mayfly::logs
