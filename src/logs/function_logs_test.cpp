#include "logs/function_logs.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <condition_variable>
#include <future>
#include <nlohmann/json.hpp>

#include "base/temp_folder.h"
#include "wire/log_record.h"

namespace mayfly::logs {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using namespace std::string_literals;

/// Lines that a follower got, awaited by the test.
class Followed {
 public:
  FunctionLogs::Follower follower() {
    return [this](const std::string& line, bool last) {
      const std::lock_guard lock(mutex_);
      ended_ |= last;
      lines_.push_back(json::parse(line));
      changed_.notify_all();
      return wanted_;
    };
  }
  /// The first `count` lines, or fewer if they do not come.
  std::vector<json> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 20s, [&] { return lines_.size() >= count; });
    return lines_;
  }
  /// All lines up to the first with this text.
  std::vector<json> wait_for(const std::string& text) {
    std::unique_lock lock(mutex_);
    const auto there = [&] {
      return std::ranges::any_of(lines_, [&](const json& line) { return line["text"] == text; });
    };
    EXPECT_TRUE(changed_.wait_for(lock, 20s, there)) << text;
    return lines_;
  }
  [[nodiscard]] bool ended() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return ended_; });
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    wanted_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<json> lines_;
  bool wanted_ = true;
  bool ended_ = false;
};

struct FunctionLogsTest : testing::Test {
  FunctionLogsTest() {
    version.function = "f";
    version.number = 3;
    logs = std::make_unique<FunctionLogs>(folder.path() / "logs");
    read(0, {}, followed.follower());
    process = connect();
  }
  /// The log socket of a new process of the function.
  Fd connect() {
    auto pair = socket_pair(SOCK_SEQPACKET);
    words = std::make_shared<pool::LastWords>();
    logs->take(std::move(pair->ours), version, words);
    return std::move(pair->theirs);
  }
  std::vector<std::string> read(std::size_t most, const std::string& invocation,
                                FunctionLogs::Follower follower = {}) {
    std::promise<std::vector<std::string>> lines;
    logs->read("f", most, invocation, std::move(follower),
               [&](auto got) { lines.set_value(std::move(got)); });
    return lines.get_future().get();
  }
  void packet(const std::string& bytes) {
    ASSERT_EQ(::send(process.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void record(const wire::LogRecord& record) {
    std::string bytes;
    wire::append_log_record(bytes, record);
    packet(bytes);
  }

  TempFolder folder;
  registry::Version version;
  Followed followed;
  std::unique_ptr<FunctionLogs> logs;
  std::shared_ptr<pool::LastWords> words;
  Fd process;
};

TEST_F(FunctionLogsTest, ARecordIsALineOfJson) {
  record({wire::LogLevel::warn, "0123", "hello \"you\"", 0, 0});
  const auto lines = followed.wait(1);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["level"], "warn");
  EXPECT_EQ(lines[0]["version"], 3);
  EXPECT_EQ(lines[0]["invocation"], "0123");
  EXPECT_EQ(lines[0]["text"], "hello \"you\"");
  const auto time = lines[0]["time"].get<std::string>();
  EXPECT_EQ(time.size(), 24U) << time;
  EXPECT_TRUE(time.ends_with("Z"));
  EXPECT_FALSE(lines[0].contains("cut") || lines[0].contains("dropped"));
  EXPECT_EQ(json::parse(read(10, {}).at(0)), lines[0]) << "what is followed is what is kept";
}

TEST_F(FunctionLogsTest, APacketMayHoldManyRecords) {
  std::string bytes;
  for (int i = 0; i < 100; ++i)
    wire::append_log_record(bytes, {wire::LogLevel::info, {}, std::to_string(i), 0, 0});
  packet(bytes);
  const auto lines = followed.wait(100);
  ASSERT_EQ(lines.size(), 100U);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(lines[i]["text"], std::to_string(i));
  EXPECT_FALSE(lines[0].contains("invocation"));
}

TEST_F(FunctionLogsTest, TextWithoutTheBridgeComesInLinesAndIsRemembered) {
  packet("first half, ");
  packet("second half\nnext\nunfinished");
  EXPECT_EQ(followed.wait(2).at(0)["text"], "first half, second half");
  EXPECT_EQ(words->text(), "first half, second half\nnext\nunfinished");
  process.reset();
  const auto lines = followed.wait(3);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[2]["text"], "unfinished") << "a process that ends has finished its line";
  EXPECT_EQ(lines[2]["level"], "error");
}

TEST_F(FunctionLogsTest, AnEmptyPacketIsNotTheEnd) {
  packet("");
  packet("");
  packet("still here\n");
  EXPECT_EQ(followed.wait_for("still here").size(), 1U);
  packet("");
  packet("last words");
  process.reset();
  EXPECT_EQ(followed.wait_for("last words").size(), 2U);
}

TEST_F(FunctionLogsTest, LinesThatAreTooLongAreCutAndMarked) {
  record({wire::LogLevel::info, {}, std::string(100'000, 'x'), 0, 0});
  const auto lines = followed.wait(1);
  EXPECT_EQ(lines.at(0)["text"].get<std::string>().size(), wire::kMaxLogText);
  EXPECT_EQ(lines.at(0)["cut"], 100'000);
  packet(std::string(20'000, 'y') + "\n");
  const auto raw = followed.wait(3);
  EXPECT_EQ(raw.at(1)["text"].get<std::string>() + raw.at(2)["text"].get<std::string>(),
            std::string(20'000, 'y'));
}

TEST_F(FunctionLogsTest, WhatTheProcessItselfHadToDropIsSaid) {
  record({wire::LogLevel::info, "1", "after the flood", 0, 12});
  const auto lines = followed.wait(2);
  EXPECT_EQ(lines.at(0)["dropped"], 12);
  EXPECT_EQ(lines.at(0)["level"], "warn");
  EXPECT_EQ(lines.at(1)["text"], "after the flood");
}

TEST_F(FunctionLogsTest, WhileAFloodLastsItIsSaidOnceASecondWhatIsMissing) {
  version.config.log_rate = 10'000;  // now and then there is room for a line
  logs = std::make_unique<FunctionLogs>(folder.path() / "flooded", 10'000);
  read(0, {}, followed.follower());
  process = connect();
  const auto begin = std::chrono::steady_clock::now();
  std::size_t sent = 0;
  for (; std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(500); ++sent)
    record({wire::LogLevel::info, {}, std::string(500, 'x'), 0, 0});
  std::size_t accounted = 0, said = 0;
  for (std::size_t seen = 1; accounted < sent; ++seen) {
    const auto lines = followed.wait(seen);
    ASSERT_GE(lines.size(), seen) << accounted << " of " << sent;
    accounted = said = 0;
    for (const auto& line : lines) {
      said += line.contains("dropped") ? 1 : 0;
      accounted += line.contains("dropped") ? line["dropped"].get<std::size_t>() : 1;
    }
    seen = lines.size();
  }
  const auto seconds = (std::chrono::steady_clock::now() - begin) / std::chrono::seconds(1);
  EXPECT_GE(said, 1U);
  EXPECT_LE(said, 2U + static_cast<std::size_t>(seconds));
}

TEST_F(FunctionLogsTest, AFloodIsBoundedAndEveryMissingLineCounted) {
  // Nothing is earned while the test runs, however slow it is.
  version.config.log_rate = 0;
  logs = std::make_unique<FunctionLogs>(folder.path() / "bounded", 100'000);
  read(0, {}, followed.follower());
  process = connect();
  constexpr std::size_t kLines = 300;
  for (std::size_t i = 0; i < kLines; ++i) record({wire::LogLevel::info, {}, std::string(10'000, 'x'), 0, 0});
  std::size_t kept = 0, dropped = 0;
  for (std::size_t seen = 1; kept + dropped < kLines; ++seen) {
    const auto lines = followed.wait(seen);
    ASSERT_GE(lines.size(), seen) << kept << " kept, " << dropped << " dropped";
    kept = dropped = 0;
    for (const auto& line : lines)
      line.contains("dropped") ? dropped += line["dropped"].get<std::size_t>() : ++kept;
    seen = lines.size();
  }
  EXPECT_EQ(kept, 9U);
  EXPECT_EQ(dropped, kLines - 9);
}

TEST_F(FunctionLogsTest, WhatIsNotARecordHarmsNobody) {
  packet("\x01");
  packet("\x01garbage that is long enough to be a header but is none");
  packet("\xff\xfe not UTF-8\n");
  record({wire::LogLevel::info, {}, "good", 0, 0});
  const auto lines = followed.wait_for("good");
  EXPECT_EQ(lines.back()["text"], "good");
}

TEST_F(FunctionLogsTest, TailAndFollowingJoinWithoutAGap) {
  for (int i = 0; i < 5; ++i) record({wire::LogLevel::info, {}, std::to_string(i), 0, 0});
  followed.wait(5);
  Followed second;
  EXPECT_EQ(read(2, {}, second.follower()).size(), 2U);
  record({wire::LogLevel::info, {}, "5", 0, 0});
  const auto lines = second.wait(1);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["text"], "5");
  second.stop();
  record({wire::LogLevel::info, {}, "6", 0, 0});
  record({wire::LogLevel::info, {}, "7", 0, 0});
  followed.wait_for("7");
  EXPECT_EQ(second.wait(0).size(), 2U) << "who says no is asked no more";
}

TEST_F(FunctionLogsTest, OneInvocationCanBeFollowedAlone) {
  Followed one;
  record({wire::LogLevel::info, "abc", "before", 0, 0});
  record({wire::LogLevel::info, "xyz", "other", 0, 0});
  followed.wait(2);
  EXPECT_EQ(read(10, "bc").size(), 1U) << "the end of an id will do";
  EXPECT_EQ(read(10, "ab").size(), 0U);
  const auto tail = read(10, "abc", one.follower());
  ASSERT_EQ(tail.size(), 1U);
  EXPECT_EQ(json::parse(tail[0])["text"], "before");
  record({wire::LogLevel::info, "xyz", "says abc", 0, 0});
  record({wire::LogLevel::info, "abc", "after", 0, 0});
  const auto lines = one.wait(1);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["text"], "after");
}

TEST_F(FunctionLogsTest, WhoFollowsADeletedFunctionGetsALastLine) {
  Followed one;
  (void)read(0, "abc", one.follower());
  logs->forget("f");
  ASSERT_TRUE(one.ended());
  EXPECT_EQ(one.wait(1).back()["text"], "the function was deleted: its log ends here");
  EXPECT_TRUE(followed.ended());
}

TEST_F(FunctionLogsTest, LinesThatWereLostAreToldThoughNoneFollows) {
  record({wire::LogLevel::warn, {}, {}, 0, 7});
  record({wire::LogLevel::info, {}, "next", 0, 0});
  const auto lines = followed.wait(2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["dropped"], 7);
  EXPECT_EQ(lines[1]["text"], "next");
}

TEST_F(FunctionLogsTest, WhoAsksGetsWhatWasWrittenBefore) {
  std::promise<void> busy;
  std::promise<void> go_on;
  read(0, {}, [&](const std::string&, bool) {
    busy.set_value();
    go_on.get_future().wait();
    return false;
  });
  record({wire::LogLevel::info, {}, "holds the thread", 0, 0});
  busy.get_future().wait();
  const auto other =
      std::exchange(process, connect());  // another process, which is not read from in this turn
  record({wire::LogLevel::info, "abc", "was written", 0, 0});
  std::promise<std::vector<std::string>> lines;
  logs->read("f", 10, "abc", {}, [&](std::vector<std::string> read) { lines.set_value(std::move(read)); });
  Error error{std::make_error_code(std::errc::io_error), "it broke", {}};
  record({wire::LogLevel::info, "abc", "before it failed", 0, 0});
  logs->failed(version, "abc", error);
  go_on.set_value();
  EXPECT_EQ(lines.get_future().get().size(), 2U);
  read(0, {});
  EXPECT_EQ(logs->failures("f").front().last_lines.size(), 2U);
}

TEST_F(FunctionLogsTest, AFailureKeepsWhatItsInvocationLoggedLast) {
  for (int i = 0; i < 30; ++i) record({wire::LogLevel::info, "abc", "line " + std::to_string(i), 0, 0});
  record({wire::LogLevel::info, "xyz", "other", 0, 0});
  followed.wait(31);
  Error error{
      std::make_error_code(std::errc::io_error), "it broke", {{"stack", "Error: it broke\n at f.js:3"}}};
  logs->failed(version, "abc", error);
  const auto lines = followed.wait(32);
  EXPECT_EQ(lines.back()["text"], "Error: it broke\n at f.js:3") << "the stack says the message, too";
  EXPECT_EQ(lines.back()["invocation"], "abc");
  read(0, {});  // the failure is kept in the same turn of the log thread
  const auto failures = logs->failures("f");
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_EQ(failures[0].error.message, "it broke");
  EXPECT_EQ(failures[0].version, 3U);
  ASSERT_EQ(failures[0].last_lines.size(), 20U);
  EXPECT_EQ(failures[0].last_lines.front(), "line 10");
  EXPECT_EQ(failures[0].last_lines.back(), "line 29");
}

TEST_F(FunctionLogsTest, KeepsTheNewestFailuresNewestFirstUntilItForgets) {
  for (int i = 0; i < 25; ++i)
    logs->failed(version, {}, Error{std::make_error_code(std::errc::io_error), std::to_string(i), {}});
  read(0, {});
  const auto failures = logs->failures("f");
  ASSERT_EQ(failures.size(), 20U);
  EXPECT_EQ(failures.front().error.message, "24");
  EXPECT_EQ(failures.back().error.message, "5");
  EXPECT_TRUE(logs->failures("other").empty());
  logs->forget("f");
  EXPECT_TRUE(logs->failures("f").empty());
}

TEST_F(FunctionLogsTest, EndsWhileProcessesStillWrite) {
  record({wire::LogLevel::info, {}, "x", 0, 0});
  logs.reset();  // the sanitizers watch
  std::string bytes = "more";
  (void)::send(process.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace
}  // namespace mayfly::logs
