#include "cli/input.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "base/date_time.h"
#include "base/text.h"
#include "cli/error.h"

namespace mayfly::cli {
namespace {

Result<std::string> read_all(std::FILE* stream, const std::string& name) {
  std::string text;
  std::string piece(64U << 10U, '\0');
  while (const auto size = std::fread(piece.data(), 1, piece.size(), stream)) text.append(piece, 0, size);
  if (std::ferror(stream) != 0) return fail(CliErrc::failed, name + " cannot be read");
  return text;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& file) {
  std::FILE* stream = std::fopen(file.c_str(), "rbe");
  if (stream == nullptr) return fail_errno("open " + file.string());
  auto text = read_all(stream, file.string());
  std::fclose(stream);
  return text;
}

Result<std::string> read_value(const std::string& value) {
  if (value == "-" || value == "@-") return read_all(stdin, "standard input");
  if (value.starts_with('@')) return read_file(value.substr(1));
  return value;
}

std::pair<std::string, std::string> split_address(const std::string& address) {
  const auto at = address.find('@');
  if (at == std::string::npos) return {address, ""};
  return {address.substr(0, at), address.substr(at + 1)};
}

Result<unsigned> parse_version(const std::string& text) {
  const auto number = parse_integer(text);
  if (!number || *number < 1 || *number > std::numeric_limits<unsigned>::max())
    return fail(CliErrc::usage, "'" + text + "' is not a version: versions are numbers from 1 on");
  return static_cast<unsigned>(*number);
}

std::optional<std::int64_t> parse_lifetime(std::string_view text) {
  constexpr auto kLongest = std::chrono::days(36'500);
  const auto duration = parse_duration(text);
  if (!duration || *duration < std::chrono::seconds(1) || *duration > kLongest) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
}

std::string short_time(const std::string& timestamp) {
  std::string text = timestamp.substr(0, std::min<std::size_t>(19, timestamp.size()));
  std::ranges::replace(text, 'T', ' ');
  return text;
}

std::optional<std::chrono::milliseconds> moment(const std::string& timestamp) {
  const auto read = parse_date_time(timestamp);
  const auto time = read ? read->time() : std::nullopt;
  if (!time) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(time->time_since_epoch() + read->fraction);
}

}  // namespace mayfly::cli
