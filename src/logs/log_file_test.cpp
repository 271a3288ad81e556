#include "logs/log_file.h"

#include <gtest/gtest.h>

#include "base/temp_folder.h"

namespace mayfly::logs {
namespace {

namespace fs = std::filesystem;

struct LogFileTest : testing::Test {
  TempFolder folder;
  fs::path path = folder.path() / "f.jsonl";
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
  }
};

using Lines = std::vector<std::string>;

TEST_F(LogFileTest, GivesTheNewestLinesOldestFirst) {
  LogFile file(path);
  EXPECT_EQ(file.tail(10, {}), Lines{});
  for (const char* line : {"one", "two", "three"}) file.append(line);
  EXPECT_EQ(file.tail(2, {}), (Lines{"two", "three"}));
  EXPECT_EQ(file.tail(10, {}), (Lines{"one", "two", "three"}));
  EXPECT_EQ(file.tail(0, {}), Lines{});
  EXPECT_EQ(file.tail(10, "t"), (Lines{"two", "three"}));
  EXPECT_EQ(file.tail(1, "o"), Lines{"two"});
}

TEST_F(LogFileTest, KeepsSoManyFilesOfSoManyBytes) {
  LogFile file(path, 100, 3);
  for (int i = 0; i < 1000; ++i) file.append("line " + std::to_string(i));
  EXPECT_EQ(files(), 3U);
  for (const auto& entry : fs::directory_iterator(folder.path())) EXPECT_LE(entry.file_size(), 100U) << entry;
  const auto lines = file.tail(1000, {});
  ASSERT_GT(lines.size(), 20U);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_EQ(lines[i], "line " + std::to_string(1000 - lines.size() + i)) << "none left out, in order";
}

TEST_F(LogFileTest, GoesOnWhereItStoppedWhenItIsOpenedAgain) {
  LogFile(path, 100, 2).append(std::string(60, 'a'));
  LogFile file(path, 100, 2);
  file.append(std::string(60, 'b'));
  EXPECT_EQ(files(), 2U) << "what was there before counts";
  EXPECT_EQ(file.tail(2, {}), (Lines{std::string(60, 'a'), std::string(60, 'b')}));
}

TEST_F(LogFileTest, ALineLongerThanAFileIsAFile) {
  LogFile file(path, 100, 2);
  file.append(std::string(500, 'a'));
  file.append("next");
  EXPECT_EQ(file.tail(2, {}), (Lines{std::string(500, 'a'), "next"}));
}

TEST_F(LogFileTest, AFolderThatIsGoneCostsLinesAndNothingElse) {
  LogFile file(folder.path() / "nowhere" / "f.jsonl", 10, 2);
  for (int i = 0; i < 10; ++i) file.append("lost");
  EXPECT_EQ(file.tail(10, {}), Lines{});
}

}  // namespace
}  // namespace mayfly::logs
