// Small things with text: numbers, quantities and times as people write them, and the name that was meant.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mayfly {

/// A whole decimal integer with an optional '-', nothing around it.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

/// "10s", "500ms", "5m", "1.5h", "30d": a number ≥ 0 and one of ms, s, m, h, d. Nothing else, and not less
/// than 1 ms unless 0; at most some 292 years.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest exact form that parse_duration() reads: "10s", "1500ms", "5m".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

/// "128MiB", "1GB", "512 KiB", "1.5GiB", "4096": bytes. KiB, MiB, GiB are powers of 1024; kB (KB), MB, GB of
/// 1000; none or B means bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// The shortest exact form that parse_size() reads: "128MiB", "1GB", "1000001B".
[[nodiscard]] std::string format_size(std::uint64_t bytes);
/// For people: "128 MiB", "1.5 GiB", "12 KiB", "900 bytes"; rounded to a tenth.
[[nodiscard]] std::string size_in_words(std::uint64_t bytes);

/// "2024-05-01T12:00:00.123Z"
[[nodiscard]] std::string timestamp(std::chrono::system_clock::time_point time);

/// [A-Za-z_][A-Za-z0-9_]*: what an environment variable may be called.
[[nodiscard]] bool is_variable_name(std::string_view name);
/// UTF-8 without zero bytes: what an environment variable may hold and JSON can carry.
[[nodiscard]] bool is_plain_text(std::string_view text);

/// Without blanks, tabs and line ends around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);
/// At most so many bytes of UTF-8, and no part of a character.
[[nodiscard]] std::string_view beginning_of(std::string_view text, std::size_t most);

/// The candidate that was most likely meant: at most a third of its letters differ (an exchange of two
/// neighbours counts as one difference). Empty if none is near.
[[nodiscard]] std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

/// " (did you mean 'x'?)", or nothing if no candidate is near: to be appended to a message.
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace mayfly
