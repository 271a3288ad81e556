#include "base/proc.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/fd.h"

namespace mayfly {

std::string_view read_proc(const std::string& path, ProcBuffer& buffer) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  const auto start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

void append_children(const std::string& path, std::vector<pid_t>& children) {
  // Asked for at the end of every instance: without a stream, which would cost more than the kernel's part.
  const Fd list(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  pid_t pid = 0;
  std::array<char, 4096> part;
  for (ssize_t got = 0; list && (got = ::read(list.get(), part.data(), part.size())) > 0;) {
    for (const char c : std::string_view(part.data(), static_cast<std::size_t>(got))) {
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
      } else if (pid != 0) {
        children.push_back(std::exchange(pid, 0));
      }
    }
  }
  if (pid != 0) children.push_back(pid);
}

std::optional<ProcessStat> stat_of(pid_t pid) {
  ProcBuffer buffer;
  auto rest = read_proc("/proc/" + std::to_string(pid) + "/stat", buffer);
  // The name of the program may hold anything, also brackets.
  const auto after = rest.rfind(')');
  if (after == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(after);  // ") R 1 …"
  ProcessStat stat;
  if (rest.size() > 2) stat.state = rest[2];
  constexpr int kParent = 4;
  constexpr int kStarted = 22;
  constexpr int kStartCode = 26;
  for (int field = kParent; field <= kStartCode; ++field) {
    const auto value = take_number(rest);
    if (!value) break;
    if (field == kParent) stat.parent = static_cast<pid_t>(*value);
    if (field == kStarted) stat.started = *value;
    if (field == kStartCode) stat.start_code = *value;
  }
  return stat;
}

}  // namespace mayfly
