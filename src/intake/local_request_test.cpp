#include "intake/local_request.h"

#include "events/store.h"
#include "intake/intake_test_support.h"

namespace mayfly::intake {
namespace {

/// Answers with the body that it got, at once or when the test says so.
struct Echo final : LocalRequest {
  using LocalRequest::LocalRequest;
  void on_request(const pool::Invocation&, std::string body) override {
    got = std::move(body);
    ++requests;
    if (at_once) answer(200, {}, got);
  }
  void answer_now() { answer(200, {}, got); }
  bool at_once = true;
  int requests = 0;
  std::string got;
};

struct LocalRequestTest : IntakeTest {
  /// With a body of which this is the first part.
  std::unique_ptr<Client> begin(Echo& to, std::string body) {
    auto client = std::make_unique<Client>();
    client->invocation.body = std::move(body);
    client->invocation.body_complete = false;
    client->invocation.deadline = now + 30s;
    to.submit(client->invocation);
    return client;
  }
  std::shared_ptr<Echo> echo = std::make_shared<Echo>(place(), 1'000);
};

TEST_F(LocalRequestTest, IsAnsweredFromOutsideOfTheCall) {
  const auto client = submit(*echo, "GET", "/", {}, "body");
  EXPECT_EQ(client->answers, 0);
  run();
  EXPECT_EQ(client->status, 200U);
  EXPECT_EQ(client->body, "body");
  EXPECT_EQ(client->invocation.state, pool::Invocation::State::idle);
  EXPECT_EQ(client->invocation.runner, nullptr);
  EXPECT_EQ(wheel.size(), 0U);
}

TEST_F(LocalRequestTest, ABodyComesInPartsForWhichThereIsCredit) {
  const auto client = begin(*echo, "one ");
  client->invocation.runner->send_body(client->invocation, "two ", false);
  run();
  EXPECT_EQ(client->credit, 4U);
  EXPECT_EQ(echo->requests, 0);
  client->invocation.runner->send_body(client->invocation, "three", true);
  run();
  EXPECT_EQ(client->body, "one two three");
}

TEST_F(LocalRequestTest, ABodyThatIsTooLargeIsRefusedOnce) {
  const auto client = begin(*echo, std::string(600, 'x'));
  client->invocation.runner->send_body(client->invocation, std::string(600, 'x'), false);
  client->invocation.runner->send_body(client->invocation, std::string(600, 'x'), false);
  run();
  EXPECT_EQ(client->answers, 1);
  ASSERT_TRUE(client->failure);
  EXPECT_EQ(client->failure->code, IntakeErrc::body_too_large);
  EXPECT_EQ(client->failure->detail("limit"), "1kB");
  EXPECT_EQ(echo->requests, 0);
}

TEST_F(LocalRequestTest, AClientThatHasLeftHearsNothing) {
  echo->at_once = false;
  auto client = submit(*echo, "GET", "/");
  run();
  EXPECT_EQ(echo->requests, 1);
  echo->cancel(client->invocation);
  EXPECT_EQ(client->invocation.runner, nullptr);
  echo->answer_now();
  EXPECT_EQ(client->answers, 0);
  client.reset();
  wheel.advance(now + 60s);
}

TEST_F(LocalRequestTest, AClientThatLeavesBeforeItsBodyIsThereAsksForNothing) {
  auto client = begin(*echo, "part");
  client->invocation.runner->send_body(client->invocation, "rest", true);
  client->invocation.runner->abandon(client->invocation, wire::AbortReason::client);
  client.reset();
  run();
  EXPECT_EQ(echo->requests, 0);
}

TEST_F(LocalRequestTest, ItIsNotWaitedForBeyondTheDeadline) {
  echo->at_once = false;
  const auto client = submit(*echo, "GET", "/");
  run();
  wheel.advance(now + 29s);
  EXPECT_EQ(client->answers, 0);
  wheel.advance(now + 31s);
  ASSERT_TRUE(client->failure);
  EXPECT_EQ(client->failure->code, IntakeErrc::no_answer);
  echo->answer_now();
  EXPECT_EQ(client->answers, 1);
}

TEST_F(LocalRequestTest, AllBodiesTogetherHaveALimitAndLeaveRoomWhenTheyAreGone) {
  const std::string part(1U << 20U, 'x');
  const auto large = std::make_shared<Echo>(place(), 2 * kMaxHeldBodies);
  auto client = begin(*large, part);
  for (std::size_t sent = 0; sent <= kMaxHeldBodies; sent += part.size())
    client->invocation.runner->send_body(client->invocation, part, false);
  run();
  ASSERT_TRUE(client->failure);
  EXPECT_EQ(client->failure->code, events::EventsErrc::store_full);
  EXPECT_FALSE(client->failure->detail("retry-after").empty());
  for (int i = 0; i < 3; ++i) {
    const auto other = submit(*std::make_shared<Echo>(place(), 2 * part.size()), "POST", "/", {}, part);
    run();
  }
  const auto next = submit(*echo, "POST", "/", {}, "small");
  run();
  EXPECT_EQ(next->status, 200U);
}

}  // namespace
}  // namespace mayfly::intake
