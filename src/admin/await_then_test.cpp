// Waiting for what another thread answers.
#include "admin/await_then.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>

namespace mayfly::admin {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Start = std::function<void(events::Then<int>)>;

struct AwaitThen : testing::Test {
  void ask(const Start& start, milliseconds patience = milliseconds(30'000)) {
    asio::co_spawn(control, await_then<int>(control.get_executor(), start, patience),
                   [this](const std::exception_ptr&, Result<int> result) {
                     answer = std::move(result);
                     where = std::this_thread::get_id();
                   });
  }
  asio::io_context control;
  std::optional<Result<int>> answer;
  std::thread::id where;
};

TEST_F(AwaitThen, AnAnswerOfAnotherThreadComesBackOnTheControlThread) {
  std::thread other;
  ask([&](events::Then<int> then) { other = std::thread([then] { then(7); }); });
  control.run();
  other.join();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ(**answer, 7);
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(AwaitThen, AnErrorIsGivenOn) {
  ask([](const events::Then<int>& then) { then(fail(events::EventsErrc::store_full, "full")); });
  control.run();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, events::EventsErrc::store_full);
}

TEST_F(AwaitThen, NobodyWaitsForEverAndWhatComesLaterIsNotHeard) {
  events::Then<int> kept;
  ask([&](events::Then<int> then) { kept = std::move(then); }, milliseconds(1));
  control.run();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, intake::IntakeErrc::no_answer);
  kept(7);
  control.restart();
  control.run();
  EXPECT_FALSE(*answer) << "it was answered twice";
}

TEST(AwaitThenAtTheEnd, AnAnswerThatComesWhenTheControlThreadHasStoppedHurtsNobody) {
  events::Then<int> kept;
  bool ended = false;
  asio::io_context control;
  asio::co_spawn(
      control,
      await_then<int>(control.get_executor(), [&](events::Then<int> then) { kept = std::move(then); }),
      [&](const std::exception_ptr&, const Result<int>&) { ended = true; });
  control.poll();
  std::thread other([&] { kept(7); });
  other.join();
  EXPECT_FALSE(ended) << "it went on on another thread";
}

}  // namespace
}  // namespace mayfly::admin
