#include "problem/problem.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace mayfly::problem {
namespace {

using nlohmann::json;

/// Stands in for a module: an error category whose one code has the slug given.
class OneCode final : public std::error_category {
 public:
  OneCode(std::string module, std::string slug) : module_(std::move(module)), slug_(std::move(slug)) {}
  [[nodiscard]] const char* name() const noexcept override { return module_.c_str(); }
  [[nodiscard]] std::string message(int) const override { return slug_; }

 private:
  std::string module_;
  std::string slug_;
};

struct EveryRow : testing::TestWithParam<Row> {};

TEST_P(EveryRow, IsFoundByItsCodeAndMakesADocument) {
  const Row& expected = GetParam();
  const OneCode category{std::string(expected.module), std::string(expected.slug)};
  const Error error{std::error_code(1, category), "what happened", {}};
  const json document = json::parse(problem::document(error, Audience::developer));
  EXPECT_EQ(status(error.code), expected.status);
  EXPECT_EQ(document["type"],
            "urn:mayfly:" + std::string(expected.module) + ":" + std::string(expected.slug));
  EXPECT_EQ(document["title"], expected.title);
  EXPECT_EQ(document["status"], expected.status);
  EXPECT_EQ(document["detail"], "what happened");
}

TEST_P(EveryRow, HasAStatusOfAnErrorAndATitleForPeople) {
  const Row& expected = GetParam();
  EXPECT_GE(expected.status, 400U);
  EXPECT_LE(expected.status, 599U);
  EXPECT_GE(expected.title.size(), 10U);
  EXPECT_NE(expected.title.back(), '.');
}

TEST_P(EveryRow, TellsEveryoneTheMessageOnlyIfItIsThePlatforms) {
  const Row& expected = GetParam();
  const OneCode category{std::string(expected.module), std::string(expected.slug)};
  const Error error{std::error_code(1, category), "password is 1234", {}};
  const json document = json::parse(problem::document(error, Audience::everyone));
  EXPECT_EQ(document.contains("detail"), expected.message == Message::open);
}

std::string test_name(const testing::TestParamInfo<Row>& info) {
  std::string name = std::string(info.param.module) + "_" + std::string(info.param.slug);
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryRow, testing::ValuesIn(table().begin(), table().end()), test_name);

TEST(Problem, RowsAreUnique) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Row& each : table()) EXPECT_TRUE(seen.emplace(each.module, each.slug).second) << each.slug;
}

TEST(Problem, CodeWithoutARowIsInternalAndKeepsItsMessageFromEveryone) {
  const Error error{std::make_error_code(std::errc::no_space_on_device), "write: disk full", {}};
  EXPECT_EQ(status(error.code), 500U);
  EXPECT_EQ(type(error.code), "urn:mayfly:mayfly:internal");
  EXPECT_FALSE(json::parse(document(error, Audience::everyone)).contains("detail"));
  EXPECT_EQ(json::parse(document(error, Audience::developer))["detail"], "write: disk full");
}

TEST(Problem, StackAndLogsAreForTheDeveloper) {
  Error error{std::make_error_code(std::errc::io_error), "boom", {}};
  error.with("stack", "Error: boom\n at a.js:3")
      .with("logs", "one\ntwo")
      .with("line", "3")
      .with("limit", "10s");
  const json open = json::parse(document(error, Audience::everyone, "abc"));
  EXPECT_FALSE(open.contains("stack"));
  EXPECT_FALSE(open.contains("logs"));
  EXPECT_FALSE(open.contains("line"));
  EXPECT_EQ(open["limit"], "10s");
  EXPECT_EQ(open["invocation"], "abc");
  const json full = json::parse(document(error, Audience::developer, "abc"));
  EXPECT_EQ(full["stack"], "Error: boom\n at a.js:3");
  EXPECT_EQ(full["logs"], json::array({"one", "two"}));
  EXPECT_EQ(full["line"], 3);
}

TEST(Problem, BrokenUtf8DoesNotBreakTheDocument) {
  const Error error{std::make_error_code(std::errc::io_error), "bad \xff byte", {}};
  EXPECT_EQ(json::parse(document(error, Audience::developer))["detail"], "bad \xEF\xBF\xBD byte");
}

TEST(Problem, DetailsDoNotReplaceTheDocumentsOwnMembers) {
  Error error{std::make_error_code(std::errc::io_error), "boom", {}};
  error.with("status", "200").with("title", "fine");
  const json full = json::parse(document(error, Audience::developer));
  EXPECT_EQ(full["status"], 500);
  EXPECT_NE(full["title"], "fine");
}

}  // namespace
}  // namespace mayfly::problem
