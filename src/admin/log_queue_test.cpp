#include "admin/log_queue.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mayfly::admin {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct LogQueueTest : testing::Test {
  LogQueue::Batch next(LogQueue& queue, std::chrono::milliseconds patience = 60s) {
    std::optional<LogQueue::Batch> batch;
    asio::co_spawn(context, queue.next(patience),
                   [&](const std::exception_ptr&, LogQueue::Batch result) { batch = std::move(result); });
    context.restart();
    context.run();
    return std::move(batch.value());
  }

  asio::io_context context;
};

TEST_F(LogQueueTest, GivesWhatIsThereInOrder) {
  auto queue = std::make_shared<LogQueue>(context.get_executor());
  EXPECT_TRUE(queue->push("a"));
  EXPECT_TRUE(queue->push("b"));
  EXPECT_EQ(next(*queue).lines, (std::vector<std::string>{"a", "b"}));
}

TEST_F(LogQueueTest, WakesTheReaderFromAnotherThread) {
  auto queue = std::make_shared<LogQueue>(context.get_executor());
  std::thread writer;
  asio::post(context, [&] { writer = std::thread([&] { queue->push("late"); }); });
  const auto batch = next(*queue);
  writer.join();
  EXPECT_EQ(batch.lines, std::vector<std::string>{"late"});
}

TEST_F(LogQueueTest, ComesBackEmptyWhenPatienceEnds) {
  auto queue = std::make_shared<LogQueue>(context.get_executor());
  const auto batch = next(*queue, 0ms);
  EXPECT_TRUE(batch.lines.empty());
  EXPECT_FALSE(batch.closed);
}

TEST_F(LogQueueTest, CountsWhatASlowReaderLost) {
  auto queue = std::make_shared<LogQueue>(context.get_executor(), 2);
  for (const char* line : {"1", "2", "3", "4"}) queue->push(line);
  const auto batch = next(*queue);
  EXPECT_EQ(batch.lines.size(), 2U);
  EXPECT_EQ(batch.dropped, 2U);
  queue->push("5");
  EXPECT_EQ(next(*queue).dropped, 0U);
}

TEST_F(LogQueueTest, TheLastLineIsNeverLost) {
  auto queue = std::make_shared<LogQueue>(context.get_executor(), 1);
  for (const char* line : {"1", "2"}) queue->push(line);
  queue->close("last");
  queue->close("later");
  EXPECT_EQ(next(*queue).lines, (std::vector<std::string>{"1", "last"}));
}

TEST_F(LogQueueTest, EndsAfterClose) {
  auto queue = std::make_shared<LogQueue>(context.get_executor());
  queue->push("last");
  queue->close();
  EXPECT_FALSE(queue->push("too late"));
  const auto batch = next(*queue);
  EXPECT_EQ(batch.lines, std::vector<std::string>{"last"});
  EXPECT_TRUE(batch.closed);
  EXPECT_TRUE(next(*queue).closed);
}

}  // namespace
}  // namespace mayfly::admin
