// Reading what the user names: files, standard input, "hello@3".
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace mayfly::cli {

[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& file);
/// A value as curl takes it: "@FILE" is the file's content, "@-" and "-" standard input, all else itself.
[[nodiscard]] Result<std::string> read_value(const std::string& value);
/// "hello@3" → {"hello", "3"}; "hello" → {"hello", ""}.
[[nodiscard]] std::pair<std::string, std::string> split_address(const std::string& address);
/// A version's number in a command line: 1, 2, …
[[nodiscard]] Result<unsigned> parse_version(const std::string& text);
/// What parse_duration() reads, like "30d"; in whole seconds, 1 s … 36500 days.
[[nodiscard]] std::optional<std::int64_t> parse_lifetime(std::string_view text);
/// "2024-05-01T12:00:00.123Z" → "2024-05-01 12:00:00"
[[nodiscard]] std::string short_time(const std::string& timestamp);
/// Since the epoch; nothing: it is no such timestamp.
[[nodiscard]] std::optional<std::chrono::milliseconds> moment(const std::string& timestamp);

}  // namespace mayfly::cli
