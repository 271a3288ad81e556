#include "schedule/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/date_time.h"
#include "base/text.h"

namespace mayfly::schedule {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using testing::ElementsAreArray;
using testing::HasSubstr;

sys_seconds utc(const std::string& text) {
  const auto time = parse_date_time(text);
  EXPECT_TRUE(time && time->offset) << text;
  return time && time->offset ? *time->time() : sys_seconds{};
}

Schedule schedule(std::string_view text, std::string_view zone = "UTC") {
  auto parsed = Schedule::parse(text, zone);
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().message;
  return *parsed;
}

std::string error_of(std::string_view text, std::string_view zone = "UTC") {
  const auto parsed = Schedule::parse(text, zone);
  EXPECT_FALSE(parsed) << text;
  return parsed ? "" : parsed.error().message;
}

/// All times in a stretch, both ends excluded.
std::vector<std::string> times(const Schedule& schedule, const std::string& from, const std::string& until) {
  std::vector<std::string> found;
  for (auto time = schedule.next_after(utc(from)); time && *time < utc(until);
       time = schedule.next_after(*time))
    found.push_back(timestamp(*time).substr(0, 16) + "Z");
  return found;
}

TEST(Rate, IsCountedFromTheEpoch) {
  const auto quarter = schedule("every 15m");
  EXPECT_EQ(quarter.next_after(utc("2024-05-01T12:00:00Z")), utc("2024-05-01T12:15:00Z"));
  EXPECT_EQ(quarter.next_after(utc("2024-05-01T12:14:59Z") + 999ms), utc("2024-05-01T12:15:00Z"));
  EXPECT_EQ(quarter.next_after(utc("2024-05-01T12:15:00Z") - 1ms), utc("2024-05-01T12:15:00Z"));
  EXPECT_EQ(quarter.next_after(utc("2024-05-01T12:15:00Z") + 1ms), utc("2024-05-01T12:30:00Z"));
  EXPECT_EQ(schedule("every 7s").next_after(sys_seconds(14s)), sys_seconds(21s));
  EXPECT_EQ(schedule("every 7s").next_after(sys_seconds(-14s)), sys_seconds(-7s));
  EXPECT_EQ(schedule("every 7s").next_after(sys_seconds(-13s)), sys_seconds(-7s));
  EXPECT_EQ(schedule("every 2d").next_after(utc("1970-01-02T00:00:00Z")), utc("1970-01-03T00:00:00Z"));
  EXPECT_EQ(schedule("every 15m", "Asia/Kolkata").next_after(sys_seconds(0s)), sys_seconds(15min));
  for (const char* bad :
       {"every 0s", "every 999ms", "every 1500ms", "every 367d", "every day", "every ", "every 15 m x"})
    EXPECT_THAT(error_of(bad), HasSubstr("needs a time from 1s to 366d")) << bad;
}

TEST(Once, IsAPointInTimeOrALocalTime) {
  const auto once = schedule("at 2030-01-01T10:00:00+02:00", "America/New_York");
  EXPECT_EQ(once.next_after(utc("2024-05-01T12:00:00Z")), utc("2030-01-01T08:00:00Z"));
  EXPECT_EQ(once.next_after(utc("2030-01-01T08:00:00Z") - 1ms), utc("2030-01-01T08:00:00Z"));
  EXPECT_EQ(once.next_after(utc("2030-01-01T08:00:00Z")), std::nullopt);
  const auto first = [](const char* text, const char* zone) {
    return schedule(text, zone).next_after(sys_seconds{});
  };
  EXPECT_EQ(first("at 2030-07-01T10:00:00", "America/New_York"), utc("2030-07-01T14:00:00Z"));
  EXPECT_EQ(first("at 2030-07-01T10:00:00", "UTC"), utc("2030-07-01T10:00:00Z"));
  // It does not exist: the moment of the change. It is there twice: the first.
  EXPECT_EQ(first("at 2030-03-31T02:30:00", "Europe/Berlin"), utc("2030-03-31T01:00:00Z"));
  EXPECT_EQ(first("at 2030-10-27T02:30:00", "Europe/Berlin"), utc("2030-10-27T00:30:00Z"));
  for (const char* bad : {"at noon", "at 2030-02-30T10:00:00Z", "at 2030-01-01", "at "})
    EXPECT_THAT(error_of(bad), HasSubstr("is no date with a time")) << bad;
}

TEST(Zones, AreThoseOfTheDatabase) {
  EXPECT_EQ(schedule("0 12 * * *", "Asia/Kolkata").next_after(utc("2024-05-01T12:00:00Z")),
            utc("2024-05-02T06:30:00Z"));
  EXPECT_THAT(error_of("@daily", "Europe/Belrin"),
              HasSubstr("no time zone 'Europe/Belrin' (did you mean 'Europe/Berlin'?)"));
  for (const char* bad : {"", "../../etc/passwd", "/usr/share/zoneinfo/UTC", "Europe"})
    EXPECT_THAT(error_of("@daily", bad), HasSubstr("there is no time zone")) << bad;
}

struct Change {
  const char* schedule;
  const char* zone;
  const char* from;
  const char* until;
  std::vector<std::string> times;
};

class ClockChange : public testing::TestWithParam<Change> {};

TEST_P(ClockChange, HasTheseTimes) {
  const auto& change = GetParam();
  EXPECT_THAT(times(schedule(change.schedule, change.zone), change.from, change.until),
              ElementsAreArray(change.times))
      << change.schedule << " in " << change.zone;
}

// Berlin, 2024-03-31: after 01:59 (UTC+1) comes 03:00 (UTC+2), at 01:00Z.
INSTANTIATE_TEST_SUITE_P(
    PutForward, ClockChange,
    testing::Values(
        Change{"30 2 * * *",
               "Europe/Berlin",
               "2024-03-30T00:00:00Z",
               "2024-04-02T00:00:00Z",
               {"2024-03-30T01:30Z", "2024-03-31T01:00Z", "2024-04-01T00:30Z"}},
        Change{"0 2 * * *",
               "Europe/Berlin",
               "2024-03-30T12:00:00Z",
               "2024-04-01T00:00:00Z",
               {"2024-03-31T01:00Z"}},
        Change{"0 3 * * *",
               "Europe/Berlin",
               "2024-03-30T12:00:00Z",
               "2024-04-01T00:00:00Z",
               {"2024-03-31T01:00Z"}},
        // Once for all times of the gap, and what exists goes on.
        Change{"*/20 2 * * *",
               "Europe/Berlin",
               "2024-03-31T00:00:00Z",
               "2024-04-01T00:15:00Z",
               {"2024-03-31T01:00Z", "2024-04-01T00:00Z"}},
        Change{"30 2,3 * * *",
               "Europe/Berlin",
               "2024-03-31T00:00:00Z",
               "2024-04-01T00:00:00Z",
               {"2024-03-31T01:00Z", "2024-03-31T01:30Z"}},
        Change{"*/30 * * * *",
               "Europe/Berlin",
               "2024-03-31T00:15:00Z",
               "2024-03-31T02:15:00Z",
               {"2024-03-31T00:30Z", "2024-03-31T01:00Z", "2024-03-31T01:30Z", "2024-03-31T02:00Z"}},
        Change{"0 4 * * *",
               "Europe/Berlin",
               "2024-03-30T12:00:00Z",
               "2024-04-01T00:00:00Z",
               {"2024-03-31T02:00Z"}},
        // New York, 2024-03-10: 01:59 (UTC-5), 03:00 (UTC-4), at 07:00Z.
        Change{"30 2 * * *",
               "America/New_York",
               "2024-03-09T12:00:00Z",
               "2024-03-12T00:00:00Z",
               {"2024-03-10T07:00Z", "2024-03-11T06:30Z"}},
        // Lord Howe, 2024-10-06: 01:59 (UTC+10:30), 02:30 (UTC+11), on the 5th at 15:30Z.
        Change{"15 2 * * *",
               "Australia/Lord_Howe",
               "2024-10-05T00:00:00Z",
               "2024-10-07T00:00:00Z",
               {"2024-10-05T15:30Z", "2024-10-06T15:15Z"}},
        Change{"45 2 * * *",
               "Australia/Lord_Howe",
               "2024-10-05T00:00:00Z",
               "2024-10-06T00:00:00Z",
               {"2024-10-05T15:45Z"}},
        // Samoa went over the date line: there was no 2011-12-30; at 10:00Z that day it became the 31st.
        Change{"0 3 * * *",
               "Pacific/Apia",
               "2011-12-29T00:00:00Z",
               "2012-01-01T00:00:00Z",
               {"2011-12-29T13:00Z", "2011-12-30T10:00Z", "2011-12-30T13:00Z", "2011-12-31T13:00Z"}},
        // In Beirut it is midnight that does not exist.
        Change{"@daily",
               "Asia/Beirut",
               "2024-03-29T12:00:00Z",
               "2024-04-01T12:00:00Z",
               {"2024-03-29T22:00Z", "2024-03-30T22:00Z", "2024-03-31T21:00Z"}}));

// Berlin, 2024-10-27: after 02:59 (UTC+2) comes 02:00 (UTC+1), at 01:00Z.
INSTANTIATE_TEST_SUITE_P(
    PutBack, ClockChange,
    testing::Values(
        Change{"30 2 * * *",
               "Europe/Berlin",
               "2024-10-26T12:00:00Z",
               "2024-10-28T12:00:00Z",
               {"2024-10-27T00:30Z", "2024-10-28T01:30Z"}},
        Change{"0 2 * * *",
               "Europe/Berlin",
               "2024-10-26T12:00:00Z",
               "2024-10-28T00:00:00Z",
               {"2024-10-27T00:00Z"}},
        Change{"0 3 * * *",
               "Europe/Berlin",
               "2024-10-26T12:00:00Z",
               "2024-10-28T00:00:00Z",
               {"2024-10-27T02:00Z"}},
        // A `*` in the minute or in the hour: each time.
        Change{"*/30 2 * * *",
               "Europe/Berlin",
               "2024-10-26T12:00:00Z",
               "2024-10-28T00:00:00Z",
               {"2024-10-27T00:00Z", "2024-10-27T00:30Z", "2024-10-27T01:00Z", "2024-10-27T01:30Z"}},
        Change{"30 * * * *",
               "Europe/Berlin",
               "2024-10-26T23:00:00Z",
               "2024-10-27T03:00:00Z",
               {"2024-10-26T23:30Z", "2024-10-27T00:30Z", "2024-10-27T01:30Z", "2024-10-27T02:30Z"}},
        // None: what begins in the second of the two hours goes on with the next day.
        Change{"0,30 2 * * *",
               "Europe/Berlin",
               "2024-10-27T01:10:00Z",
               "2024-10-28T01:15:00Z",
               {"2024-10-28T01:00Z"}},
        // New York, 2024-11-03: 01:59 (UTC-4), 01:00 (UTC-5), at 06:00Z.
        Change{"30 1 * * *",
               "America/New_York",
               "2024-11-02T12:00:00Z",
               "2024-11-05T00:00:00Z",
               {"2024-11-03T05:30Z", "2024-11-04T06:30Z"}},
        // Lord Howe, 2024-04-07: 01:59 (UTC+11), 01:30 (UTC+10:30), on the 6th at 15:00Z.
        Change{"45 1 * * *",
               "Australia/Lord_Howe",
               "2024-04-06T00:00:00Z",
               "2024-04-07T16:00:00Z",
               {"2024-04-06T14:45Z", "2024-04-07T15:15Z"}},
        Change{"*/20 1 * * *",
               "Australia/Lord_Howe",
               "2024-04-06T00:00:00Z",
               "2024-04-07T00:00:00Z",
               {"2024-04-06T14:00Z", "2024-04-06T14:20Z", "2024-04-06T14:40Z", "2024-04-06T15:10Z"}},
        Change{"0 3 * * *",
               "Australia/Lord_Howe",
               "2024-04-06T00:00:00Z",
               "2024-04-07T00:00:00Z",
               {"2024-04-06T16:30Z"}}));

/// A minute that a clock shows, with its numbers in the order of cron's fields.
struct Minute {
  std::chrono::local_seconds time;
  std::array<unsigned, 5> numbers;
};

Minute minute_of(std::chrono::local_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto of_day = static_cast<unsigned>(std::chrono::floor<std::chrono::minutes>(time - day).count());
  return {time,
          {of_day % 60, of_day / 60, static_cast<unsigned>(date.day()), static_cast<unsigned>(date.month()),
           std::chrono::weekday(day).c_encoding()}};
}

/// An expression, and the numbers that it means, found without the code under test.
struct RandomCron {
  std::string text;
  std::array<std::array<bool, 64>, 5> allowed{};
  std::array<bool, 5> star{};

  [[nodiscard]] bool matches(const Minute& minute) const {
    const auto allows = [&](std::size_t field) { return allowed[field][minute.numbers[field]]; };
    return allows(0) && allows(1) && allows(3) &&
           (star[2] || star[4] ? allows(2) && allows(4) : allows(2) || allows(4));
  }
};

RandomCron random_cron(std::mt19937& random) {
  constexpr std::array<std::pair<int, int>, 5> kRanges{{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}};
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
  RandomCron cron;
  for (std::size_t field = 0; field < 5; ++field) {
    const auto [low, high] = kRanges[field];
    std::string text;
    for (int items = pick(1, 2); items > 0; --items) {
      int first = low;
      int last = high;
      int step = 1;
      std::string item = "*";
      if (const int kind = pick(0, 3); kind == 1) {
        first = last = pick(low, high);
        item = std::to_string(first);
      } else if (kind == 2) {
        first = pick(low, high);
        last = pick(first, high);
        item = std::to_string(first) + "-" + std::to_string(last);
      }
      if ((item.contains('-') || item == "*") && pick(0, 1) == 1) {
        step = pick(1, high);
        item += "/" + std::to_string(step);
      }
      for (int number = first; number <= last; number += step)
        cron.allowed[field][static_cast<std::size_t>(number)] = true;
      text += (text.empty() ? "" : ",") + item;
    }
    cron.star[field] = text.starts_with('*');
    cron.text += (field == 0 ? "" : " ") + text;
  }
  if (cron.allowed[4][7]) cron.allowed[4][0] = true;
  return cron;
}

constexpr sys_seconds kYear = sys_days(2024y / 1 / 1);
constexpr sys_seconds kNextYear = sys_days(2025y / 1 / 1);

/// What the clock shows at each minute of the year, and of the day before it.
std::vector<Minute> shown_by_clock(const Zone& zone) {
  std::vector<Minute> shown;
  for (auto time = kYear - 24h; time < kNextYear; time += 1min)
    shown.push_back(
        minute_of(std::chrono::local_seconds(time.time_since_epoch() + zone.period_at(time).offset)));
  return shown;
}

/// The times of the year, minute by minute, with the rules for changes of the clock.
std::vector<sys_seconds> by_brute_force(const RandomCron& cron, const std::vector<Minute>& shown) {
  const bool follows_clock = cron.star[0] || cron.star[1];
  std::vector<sys_seconds> found;
  auto latest = shown[0].time;
  auto time = kYear - 24h;
  for (const auto& now : shown) {
    bool runs = (follows_clock || now.time > latest) && cron.matches(now);
    for (auto missing = latest + 1min; missing < now.time; missing += 1min)
      runs = runs || cron.matches(minute_of(missing));
    latest = std::max(latest, now.time);
    if (runs && time >= kYear) found.push_back(time);
    time += 1min;
  }
  return found;
}

/// Of the year, by asking for the next one again and again.
std::vector<sys_seconds> one_after_another(const Schedule& schedule) {
  std::vector<sys_seconds> found;
  auto last = kYear - 1s;
  for (auto time = schedule.next_after(last); time && *time < kNextYear; time = schedule.next_after(last)) {
    if (*time <= last) {
      ADD_FAILURE() << timestamp(*time) << " is not later than " << timestamp(last);
      break;
    }
    found.push_back(*time);
    last = *time;
  }
  return found;
}

void expect_agreement(const char* zone_name, std::uint32_t seed, int rounds) {
  std::mt19937 random(seed);
  const auto zone = Zone::find(zone_name);
  ASSERT_TRUE(zone);
  const auto shown = shown_by_clock(*zone);
  for (int round = 0; round < rounds; ++round) {
    const auto cron = random_cron(random);
    const auto parsed = Schedule::parse(cron.text, zone_name);
    const auto expected = by_brute_force(cron, shown);
    if (!parsed) {
      EXPECT_THAT(expected, testing::IsEmpty()) << cron.text << ": " << parsed.error().message;
      continue;
    }
    ASSERT_EQ(one_after_another(*parsed), expected) << cron.text << " in " << zone_name;
    // From anywhere, too: so a later time never has an earlier next one.
    std::uniform_int_distribution<std::int64_t> anywhere(0, (kNextYear - kYear).count() - 1);
    for (int i = 0; i < 50; ++i) {
      const auto after = kYear + std::chrono::seconds(anywhere(random));
      const auto next = parsed->next_after(after);
      const auto first = std::ranges::upper_bound(expected, after);
      if (first == expected.end())
        EXPECT_TRUE(!next || *next >= kNextYear) << cron.text;
      else
        EXPECT_EQ(next, *first) << cron.text << " after " << timestamp(after);
    }
  }
}

TEST(ScheduleProperty, AgreesWithEveryMinuteOfAYear) {
  expect_agreement("Etc/GMT-3", 1, 8);
  expect_agreement("Europe/Berlin", 2, 8);
  expect_agreement("America/New_York", 3, 4);
  expect_agreement("Australia/Lord_Howe", 4, 8);
}

TEST(Schedule, EndsWithTheCalendar) {
  const sys_seconds late = sys_days(std::chrono::year(20'000) / 1 / 1);
  EXPECT_EQ(schedule("* * * * *").next_after(late), std::nullopt);
  EXPECT_EQ(schedule("every 1s").next_after(late), std::nullopt);
  EXPECT_TRUE(schedule("0 0 29 2 *", "Europe/Berlin").next_after(utc("9000-01-01T00:00:00Z")));
  EXPECT_TRUE(schedule("0 0 29 2 *", "Europe/Berlin").next_after(sys_days(std::chrono::year(-3000) / 1 / 1)));
}

}  // namespace
}  // namespace mayfly::schedule
