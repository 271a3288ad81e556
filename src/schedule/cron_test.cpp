#include "schedule/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/date_time.h"

namespace mayfly::schedule {
namespace {

using testing::HasSubstr;

std::chrono::local_seconds at(const char* text) {
  const auto time = parse_date_time(text);
  EXPECT_TRUE(time) << text;
  return time ? time->local : std::chrono::local_seconds{};
}

std::string error_of(std::string_view text) {
  const auto cron = Cron::parse(text);
  EXPECT_FALSE(cron) << text;
  return cron ? "" : cron.error().message;
}

TEST(Cron, FindsTheNextMinuteThatMatches) {
  struct Case {
    const char* cron;
    const char* from;
    const char* next;
  };
  // 2024-05-01 is a Wednesday.
  for (const auto& [text, from, next] :
       std::vector<Case>{{"* * * * *", "2024-05-01T12:00:00", "2024-05-01T12:00:00"},
                         {"* * * * *", "2024-05-01T12:00:01", "2024-05-01T12:01:00"},
                         {"*/15 * * * *", "2024-05-01T12:46:00", "2024-05-01T13:00:00"},
                         {"5-20/5 * * * *", "2024-05-01T12:11:00", "2024-05-01T12:15:00"},
                         {"0 3 * * *", "2024-05-01T03:00:01", "2024-05-02T03:00:00"},
                         {"0,30 9-17 * * 1-5", "2024-05-03T17:31:00", "2024-05-06T09:00:00"},
                         {"0 12 * * mon", "2024-05-01T00:00:00", "2024-05-06T12:00:00"},
                         {"0 12 * * SUN", "2024-05-01T00:00:00", "2024-05-05T12:00:00"},
                         {"0 12 * * 0", "2024-05-01T00:00:00", "2024-05-05T12:00:00"},
                         {"0 12 * * 7", "2024-05-01T00:00:00", "2024-05-05T12:00:00"},
                         {"0 12 * * sat-sun", "2024-05-05T13:00:00", "2024-05-11T12:00:00"},
                         {"0 12 * * 5-7", "2024-05-04T13:00:00", "2024-05-05T12:00:00"},
                         {"0 0 1 jan *", "2024-05-01T00:00:00", "2025-01-01T00:00:00"},
                         {"0 0 31 * *", "2024-06-01T00:00:00", "2024-07-31T00:00:00"},
                         {"0 0 29 2 *", "2024-03-01T00:00:00", "2028-02-29T00:00:00"},
                         {"0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"},
                         {"  0   0\t1 * * ", "2024-05-01T00:00:01", "2024-06-01T00:00:00"},
                         {"@hourly", "2024-05-01T12:00:01", "2024-05-01T13:00:00"},
                         {"@daily", "2024-05-01T12:00:00", "2024-05-02T00:00:00"},
                         {"@midnight", "2024-05-01T12:00:00", "2024-05-02T00:00:00"},
                         {"@weekly", "2024-05-01T12:00:00", "2024-05-05T00:00:00"},
                         {"@monthly", "2024-05-01T12:00:00", "2024-06-01T00:00:00"},
                         {"@yearly", "2024-05-01T12:00:00", "2025-01-01T00:00:00"},
                         {"@annually", "2024-05-01T12:00:00", "2025-01-01T00:00:00"}}) {
    const auto cron = Cron::parse(text);
    ASSERT_TRUE(cron) << text << ": " << cron.error().message;
    const auto found = cron->next(at(from));
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(*found, at(next)) << text << " from " << from;
  }
}

// The rule of Vixie's cron that surprises people.
TEST(Cron, OneOfTheDaysFieldsIsEnoughIfNeitherBeginsWithAStar) {
  const auto next = [](const char* text, const char* from) { return *Cron::parse(text)->next(at(from)); };
  EXPECT_EQ(next("0 0 13 * fri", "2024-05-04T00:00:00"), at("2024-05-10T00:00:00"));  // a Friday
  EXPECT_EQ(next("0 0 13 * fri", "2024-05-11T00:00:00"), at("2024-05-13T00:00:00"));  // a 13th
  EXPECT_EQ(next("0 0 13 * *", "2024-05-04T00:00:00"), at("2024-05-13T00:00:00"));
  // Both: days with an odd number that are Mondays.
  EXPECT_EQ(next("0 0 */2 * mon", "2024-05-02T00:00:00"), at("2024-05-13T00:00:00"));
}

TEST(Cron, ErrorsNameTheFieldAndWhatItMayBe) {
  EXPECT_THAT(error_of(""), HasSubstr("cron has five fields"));
  EXPECT_THAT(error_of("0 0 * *"), HasSubstr("has 4"));
  EXPECT_THAT(error_of("0 0 * * * *"), HasSubstr("has 6"));
  EXPECT_THAT(error_of("60 * * * *"), HasSubstr("minute: '60' is not in 0 to 59"));
  EXPECT_THAT(error_of("* 24 * * *"), HasSubstr("hour: '24' is not in 0 to 23"));
  EXPECT_THAT(error_of("* * 0 * *"), HasSubstr("day of month: '0' is not in 1 to 31"));
  EXPECT_THAT(error_of("* * * 13 *"), HasSubstr("month: '13' is not in 1 to 12, nor one of jan to dec"));
  EXPECT_THAT(error_of("* * * * 8"), HasSubstr("day of week: '8' is not in 0 to 7, nor one of sun to sat"));
  EXPECT_THAT(error_of("* * * january *"), HasSubstr("month: 'january'"));
  EXPECT_THAT(error_of("mon * * * *"), HasSubstr("minute: 'mon'"));
  EXPECT_THAT(error_of("5-1 * * * *"), HasSubstr("minute: '5-1' ends before it begins"));
  EXPECT_THAT(error_of("5/15 * * * *"), HasSubstr("has a step and no range; write 5-59/15"));
  for (const char* bad : {"*/0 * * * *", "*/x * * * *", "*/99 * * * *", "*/ * * * *", "1-9/-1 * * * *"})
    EXPECT_THAT(error_of(bad), HasSubstr("has no step from 1 to 59")) << bad;
  for (const char* bad : {", * * * *", "1, * * * *", "1- * * * *", "-1 * * * *", "1-2-3 * * * *",
                          "** * * * *", "? * * * *", "L * * * *", "+1 * * * *", "1.5 * * * *"})
    EXPECT_THAT(error_of(bad), HasSubstr("minute: ")) << bad;
  EXPECT_THAT(error_of("@dayly"), HasSubstr("did you mean '@daily'?"));
  EXPECT_THAT(error_of("@reboot"), HasSubstr("there is no '@reboot'"));
}

TEST(Cron, ADateThatNeverComesIsAnError) {
  for (const char* never : {"0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31 feb */2"})
    EXPECT_THAT(error_of(never), HasSubstr("never comes")) << never;
  // Its Mondays come.
  EXPECT_TRUE(Cron::parse("0 0 30 2 mon"));
}

TEST(Cron, EndsWithTheCalendar) {
  EXPECT_EQ(Cron::parse("0 0 1 1 *")->next(at("9999-01-01T00:00:01")), std::nullopt);
  EXPECT_EQ(Cron::parse("59 23 31 12 *")->next(at("9999-01-01T00:00:01")), at("9999-12-31T23:59:00"));
}

}  // namespace
}  // namespace mayfly::schedule
