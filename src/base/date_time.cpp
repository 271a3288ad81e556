#include "base/date_time.h"

namespace mayfly {
namespace {

using std::chrono::local_days;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes from the beginning of a text what has to be there.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  /// So many digits, no others; -1: they are not there, or their number is out of range.
  int number(std::size_t digits, int low, int high) {
    if (rest_.size() < digits) return -1;
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (!is_digit(c)) return -1;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value < low || value > high ? -1 : value;
  }
  /// One of these characters.
  bool one_of(std::string_view characters) {
    if (rest_.empty() || !characters.contains(rest_[0])) return false;
    last_ = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] char last() const { return last_; }
  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] bool at_digit() const { return !rest_.empty() && is_digit(rest_[0]); }

 private:
  std::string_view rest_;
  char last_ = 0;
};

std::optional<local_days> read_date(Reader& reader) {
  const int year = reader.number(4, 0, 9999);
  if (year < 0 || !reader.one_of("-")) return std::nullopt;
  const int month = reader.number(2, 1, 12);
  if (month < 0 || !reader.one_of("-")) return std::nullopt;
  const int day = reader.number(2, 1, 31);
  if (day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return local_days(date);
}

std::optional<std::chrono::seconds> read_time(Reader& reader) {
  const int hour = reader.number(2, 0, 23);
  if (hour < 0 || !reader.one_of(":")) return std::nullopt;
  const int minute = reader.number(2, 0, 59);
  if (minute < 0 || !reader.one_of(":")) return std::nullopt;
  const int second = reader.number(2, 0, 60);
  // A leap second is the last of a UTC day, which is the end of some minute everywhere.
  if (second < 0 || (second == 60 && minute % 15 != 14)) return std::nullopt;
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

std::optional<std::chrono::nanoseconds> read_fraction(Reader& reader) {
  if (!reader.one_of(".")) return std::chrono::nanoseconds(0);
  if (!reader.at_digit()) return std::nullopt;
  std::int64_t value = 0;
  for (std::int64_t unit = 100'000'000; reader.at_digit(); unit /= 10) value += unit * reader.number(1, 0, 9);
  return std::chrono::nanoseconds(value);
}

}  // namespace

std::optional<DateTime> parse_date_time(std::string_view text) {
  Reader reader(text);
  const auto date = read_date(reader);
  if (!date || !reader.one_of("Tt")) return std::nullopt;
  const auto time = read_time(reader);
  if (!time) return std::nullopt;
  const auto fraction = read_fraction(reader);
  if (!fraction) return std::nullopt;
  DateTime result{*date + *time, *fraction, std::nullopt};
  if (reader.done()) return result;
  if (reader.one_of("Zz")) {
    result.offset = std::chrono::minutes(0);
  } else if (reader.one_of("+-")) {
    const int sign = reader.last() == '-' ? -1 : 1;
    const int hours = reader.number(2, 0, 23);
    if (hours < 0 || !reader.one_of(":")) return std::nullopt;
    const int minutes = reader.number(2, 0, 59);
    if (minutes < 0) return std::nullopt;
    result.offset = sign * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
  }
  if (!result.offset || !reader.done()) return std::nullopt;
  return result;
}

}  // namespace mayfly
