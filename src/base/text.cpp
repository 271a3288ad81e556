#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>
#include <vector>

namespace mayfly {
namespace {

struct Quantity {
  double number = 0;
  std::string_view unit;
};

/// "1.5 GiB" → 1.5, "GiB". No sign, no exponent: from_chars alone would take "1e3", "inf" and "-1".
std::optional<Quantity> parse_quantity(std::string_view text) {
  const auto end = std::min(text.find_first_not_of("0123456789."), text.size());
  Quantity quantity;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + end, quantity.number);
  if (error != std::errc{} || stopped != text.data() + end || text[0] == '.') return std::nullopt;
  quantity.unit = text.substr(end);
  if (quantity.unit.starts_with(' ')) quantity.unit.remove_prefix(1);
  return quantity;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// The largest first, so that the first that divides a value exactly is the shortest form.
constexpr std::array<Unit, 5> kDurations{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 9> kSizes{{{"TiB", 1ULL << 40U},
                                      {"TB", 1'000'000'000'000},
                                      {"GiB", 1ULL << 30U},
                                      {"GB", 1'000'000'000},
                                      {"MiB", 1ULL << 20U},
                                      {"MB", 1'000'000},
                                      {"KiB", 1ULL << 10U},
                                      {"kB", 1'000},
                                      {"B", 1}}};

std::optional<std::uint64_t> scaled(double number, std::uint64_t factor) {
  const double value = number * static_cast<double>(factor);
  if (value > 9.2e18 || (number > 0 && value < 1)) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(value));
}

std::string format_units(std::uint64_t value, std::span<const Unit> units) {
  for (const auto& unit : units)
    if (value % unit.factor == 0 && value >= unit.factor)
      return std::to_string(value / unit.factor) + std::string(unit.name);
  return "0" + std::string(units.back().name);
}

/// Optimal string alignment distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stopped != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  for (const auto& unit : kDurations) {
    if (unit.name != quantity->unit) continue;
    const auto value = scaled(quantity->number, unit.factor);
    if (!value) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
  }
  return std::nullopt;
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format_units(static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)), kDurations);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  const auto name = quantity->unit.empty() ? "B" : quantity->unit == "KB" ? "kB" : quantity->unit;
  for (const auto& unit : kSizes)
    if (unit.name == name) return scaled(quantity->number, unit.factor);
  return std::nullopt;
}

std::string format_size(std::uint64_t bytes) { return format_units(bytes, kSizes); }

std::string size_in_words(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  auto text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.erase(text.size() - 2);
  return text + " " + std::string(kUnits[unit]);
}

std::string timestamp(std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, ms % 1000);
}

bool is_variable_name(std::string_view name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto allowed = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
  };
  return !name.empty() && !is_digit(name[0]) && std::ranges::all_of(name, allowed);
}

// RFC 3629, section 4: the second byte's range tells overlong forms, surrogates and what is above U+10FFFF.
bool is_plain_text(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  for (std::size_t i = 0; i < text.size();) {
    const auto first = at(i);
    const std::size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0 || length == 0 || first > 0xf4) return false;
    const auto low = first == 0xe0 ? 0xa0U : first == 0xf0 ? 0x90U : 0x80U;
    const auto high = first == 0xed ? 0x9fU : first == 0xf4 ? 0x8fU : 0xbfU;
    if (length > 1 && (at(i + 1) < low || at(i + 1) > high)) return false;
    for (std::size_t k = 2; k < length; ++k)
      if (at(i + k) < 0x80 || at(i + k) > 0xbf) return false;
    i += length;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view beginning_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80) --most;
  return text.substr(0, most);
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  if (name.size() > 64) return best;  // bounds the work: names come from outside
  for (const auto candidate : candidates) {
    const auto d = distance(name, candidate);
    const auto allowed = std::max<std::size_t>(1, std::max(candidate.size(), name.size()) / 3);
    if (d <= allowed && d < best_distance && d < candidate.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
  const auto meant = nearest(name, candidates);
  return meant.empty() ? "" : " (did you mean '" + std::string(meant) + "'?)";
}

}  // namespace mayfly
