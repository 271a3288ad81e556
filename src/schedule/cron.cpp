#include "schedule/cron.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "schedule/error.h"

namespace mayfly::schedule {
namespace {

using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::minutes;

constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/// What may be in a field.
struct Field {
  const char* name;
  int low;
  int high;
  std::span<const std::string_view> names{};  ///< of low, low + 1, …
};

constexpr std::array<Field, 5> kFields{{{"minute", 0, 59},
                                        {"hour", 0, 23},
                                        {"day of month", 1, 31},
                                        {"month", 1, 12, kMonths},
                                        {"day of week", 0, 7, kWeekdays}}};

struct Named {
  std::string_view name;
  std::string_view fields;
};
constexpr std::array<Named, 7> kNamed{{{"@hourly", "0 * * * *"},
                                       {"@daily", "0 0 * * *"},
                                       {"@midnight", "0 0 * * *"},
                                       {"@weekly", "0 0 * * 0"},
                                       {"@monthly", "0 0 1 * *"},
                                       {"@yearly", "0 0 1 1 *"},
                                       {"@annually", "0 0 1 1 *"}}};

std::unexpected<Error> bad(std::string message) {
  return fail(ScheduleErrc::bad_schedule, std::move(message));
}

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = std::min(text.find_first_of(separators), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<int> read_number(const Field& field, std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto named = std::ranges::find(field.names, lower);
  if (named != field.names.end()) return field.low + static_cast<int>(named - field.names.begin());
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
  const auto number = digits ? parse_integer(text) : std::nullopt;
  if (number && *number >= field.low && *number <= field.high) return static_cast<int>(*number);
  return bad(std::string(field.name) + ": " + quoted(text) + " is not in " + std::to_string(field.low) +
             " to " + std::to_string(field.high) +
             (field.names.empty() ? ""
                                  : ", nor one of " + std::string(field.names.front()) + " to " +
                                        std::string(field.names.back())));
}

/// One of a field's list: "*", "5", "1-5", each range with "/step" or not. The numbers that it means, as
/// bits.
Result<std::uint64_t> read_item(const Field& field, std::string_view item) {
  const auto slash = item.find('/');
  const auto range = item.substr(0, slash);
  int low = field.low;
  int high = field.high;
  if (range != "*") {
    const auto dash = range.find('-');
    const auto first = read_number(field, range.substr(0, dash));
    if (!first) return std::unexpected(first.error());
    const auto last = dash == std::string_view::npos ? first : read_number(field, range.substr(dash + 1));
    if (!last) return std::unexpected(last.error());
    low = *first;
    // A week may end on Sunday, also by its name.
    high = field.high == 7 && dash != std::string_view::npos && *last == 0 && low > 0 ? 7 : *last;
    if (low > high) return bad(std::string(field.name) + ": " + quoted(range) + " ends before it begins");
  }
  int step = 1;
  if (slash != std::string_view::npos) {
    const auto number = parse_integer(item.substr(slash + 1));
    if (!number || *number < 1 || *number > field.high)
      return bad(std::string(field.name) + ": " + quoted(item) + " has no step from 1 to " +
                 std::to_string(field.high));
    if (range != "*" && !range.contains('-'))
      return bad(std::string(field.name) + ": " + quoted(item) + " has a step and no range; write " +
                 std::string(range) + "-" + std::to_string(field.high == 7 ? 6 : field.high) +
                 std::string(item.substr(slash)));
    step = static_cast<int>(*number);
  }
  std::uint64_t bits = 0;
  for (int number = low; number <= high; number += step)
    bits |= std::uint64_t{1} << static_cast<unsigned>(number);
  return bits;
}

Result<std::uint64_t> read_field(const Field& field, std::string_view text) {
  std::uint64_t bits = 0;
  for (const auto item : split(text, ",")) {
    const auto more = read_item(field, item);
    if (!more) return more;
    bits |= *more;
  }
  return bits;
}

bool has(std::uint64_t bits, unsigned number) { return ((bits >> number) & 1U) != 0; }

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  if (text.starts_with('@')) {
    const auto named = std::ranges::find(kNamed, text, &Named::name);
    if (named != kNamed.end()) return parse(named->fields);
    std::vector<std::string_view> names;
    for (const auto& each : kNamed) names.push_back(each.name);
    return bad("there is no " + quoted(text) + did_you_mean(text, names));
  }
  auto fields = split(text, " \t");
  std::erase(fields, "");
  if (fields.size() != kFields.size())
    return bad("cron has five fields (minute, hour, day of month, month, day of week), and " + quoted(text) +
               " has " + std::to_string(fields.size()));
  Cron cron;
  const std::array<std::uint64_t*, 5> parts{&cron.minutes_, &cron.hours_, &cron.days_, &cron.months_,
                                            &cron.weekdays_};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto bits = read_field(kFields[i], fields[i]);
    if (!bits) return std::unexpected(bits.error());
    *parts[i] = *bits;
  }
  if (has(cron.weekdays_, 7)) cron.weekdays_ |= 1U;
  cron.either_day_ = !fields[2].starts_with('*') && !fields[4].starts_with('*');
  cron.follows_clock_ = fields[0].starts_with('*') || fields[1].starts_with('*');
  if (cron.never()) return bad(quoted(text) + " never comes: none of these months has such a day");
  return cron;
}

bool Cron::never() const {
  if (either_day_) return false;
  constexpr std::array<unsigned, 12> kDays{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned month = 1; month <= 12; ++month)
    for (unsigned day = 1; has(months_, month) && day <= kDays[month - 1]; ++day)
      if (has(days_, day)) return false;
  return true;
}

bool Cron::day_matches(std::chrono::year_month_day day, std::chrono::weekday weekday) const {
  if (!has(months_, static_cast<unsigned>(day.month()))) return false;
  const bool of_month = has(days_, static_cast<unsigned>(day.day()));
  const bool of_week = has(weekdays_, weekday.c_encoding());
  return either_day_ ? of_month || of_week : of_month && of_week;
}

std::optional<minutes> Cron::next_of_day(minutes from) const {
  for (auto hour = from.count() / 60; hour < 24; ++hour) {
    if (!has(hours_, static_cast<unsigned>(hour))) continue;
    for (auto minute = hour == from.count() / 60 ? from.count() % 60 : 0; minute < 60; ++minute)
      if (has(minutes_, static_cast<unsigned>(minute))) return minutes(hour * 60 + minute);
  }
  return std::nullopt;
}

std::optional<local_seconds> Cron::next(local_seconds from) const {
  const auto first = std::chrono::ceil<minutes>(from);
  const auto today = std::chrono::floor<std::chrono::days>(first);
  const auto end = local_days(std::chrono::year(10'000) / 1 / 1);
  for (auto day = today; day < end; day += std::chrono::days(1)) {
    const std::chrono::year_month_day date(day);
    if (!has(months_, static_cast<unsigned>(date.month()))) {
      day = local_days(date.year() / date.month() / std::chrono::last);
      continue;
    }
    if (!day_matches(date, std::chrono::weekday(day))) continue;
    if (const auto time = next_of_day(day == today ? first - today : minutes(0))) return day + *time;
  }
  return std::nullopt;
}

}  // namespace mayfly::schedule
