#include "base/rate.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mayfly {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::int64_t kMost = 1'000'000;

struct Period {
  char letter;
  std::chrono::seconds length;
};
constexpr std::array<Period, 3> kPeriods{
    {{'s', std::chrono::seconds(1)}, {'m', std::chrono::minutes(1)}, {'h', std::chrono::hours(1)}}};

std::optional<std::uint32_t> parse_count(std::string_view text) {
  const auto number = parse_integer(text);
  if (!number || *number < 1 || *number > kMost) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

}  // namespace

std::optional<Rate> parse_rate(std::string_view text) {
  constexpr std::string_view kBurst = " burst ";
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 >= text.size()) return std::nullopt;
  const auto count = parse_count(text.substr(0, slash));
  const auto* const period = std::ranges::find(kPeriods, text[slash + 1], &Period::letter);
  if (!count || period == kPeriods.end()) return std::nullopt;
  Rate rate{.count = *count, .period = period->length, .burst = *count};
  const auto rest = text.substr(slash + 2);
  if (rest.empty()) return rate;
  if (!rest.starts_with(kBurst)) return std::nullopt;
  const auto burst = parse_count(rest.substr(kBurst.size()));
  if (!burst) return std::nullopt;
  rate.burst = *burst;
  return rate;
}

std::string format_rate(const Rate& rate) {
  const auto* const period = std::ranges::find(kPeriods, rate.period, &Period::length);
  std::string text = std::to_string(rate.count) + "/" + period->letter;
  if (rate.burst != rate.count) text += " burst " + std::to_string(rate.burst);
  return text;
}

RateBucket::Verdict RateBucket::take(const Rate& rate, Time now) {
  const nanoseconds each = nanoseconds(rate.period) / rate.count;
  const nanoseconds whole = each * rate.burst;
  // After a change of the rate it may be fuller than the new one allows.
  const auto before = full_at_ = std::clamp(full_at_, now, now + whole);
  const auto after = before + each;
  const auto until = [&](nanoseconds time) { return std::chrono::ceil<milliseconds>(time); };
  if (after - now > whole) return {.wait = until(after - now - whole), .restored = until(before - now)};
  full_at_ = after;
  return {.allowed = true,
          .left = static_cast<std::uint32_t>((whole - (after - now)) / each),
          .restored = until(after - now)};
}

}  // namespace mayfly
