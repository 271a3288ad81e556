#include "daemon/one_invocation.h"

#include <gtest/gtest.h>

#include "pool/failure.h"
#include "wire/frame.h"

namespace mayfly::daemon {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

struct OneInvocationTest : testing::Test {
  /// Begun, as a shard does it.
  std::shared_ptr<OneInvocation> begin(admin::InvokeRequest request) {
    auto one = std::make_shared<OneInvocation>(std::move(request), [this](auto got) {
      ++answers;
      answer = std::move(got);
    });
    one->invocation.id.fill('7');
    one->begin(now, 5s);
    return one;
  }
  static pool::InvocationListener& listener(const std::shared_ptr<OneInvocation>& one) {
    return *one->invocation.listener;
  }
  const MonotonicTime now = std::chrono::steady_clock::now();
  int answers = 0;
  Result<admin::InvokeAnswer> answer;
};

TEST_F(OneInvocationTest, BecomesTheRequestThatAClientWouldSend) {
  const auto one = begin(
      {.function = "f", .method = "PUT", .target = "/a?b", .headers = {{"X-One", "1"}}, .body = "hello"});
  EXPECT_EQ(one->invocation.method, "PUT");
  EXPECT_EQ(one->invocation.target, "/a?b");
  EXPECT_EQ(one->invocation.body, "hello");
  EXPECT_TRUE(one->invocation.body_complete);
  EXPECT_EQ(one->invocation.deadline, now + 5s);
  EXPECT_EQ(one->invocation.headers, "x-one\0001\0host\0localhost\0content-length\0005\0"s);
  listener(one).on_failure(one->invocation, Error{pool::PoolErrc::handler_threw, "end", {}});
}

TEST_F(OneInvocationTest, LeavesTheCallersOwnHostAndLengthAlone) {
  const auto one =
      begin({.function = "f", .headers = {{"HOST", "me"}, {"Content-Length", "2"}}, .body = "ab"});
  EXPECT_EQ(one->invocation.headers, "host\0me\0content-length\0002\0"s);
  listener(one).on_failure(one->invocation, Error{pool::PoolErrc::handler_threw, "end", {}});
}

TEST_F(OneInvocationTest, SendsNoMoreAtOnceThanTheWindow) {
  const auto one = begin({.function = "f", .body = std::string(wire::kWindow + 10, 'x')});
  EXPECT_EQ(one->invocation.body.size(), wire::kWindow);
  EXPECT_FALSE(one->invocation.body_complete);
  EXPECT_NE(one->invocation.headers.find(std::to_string(wire::kWindow + 10)), std::string::npos);
  listener(one).on_failure(one->invocation, Error{pool::PoolErrc::handler_threw, "end", {}});
}

TEST_F(OneInvocationTest, CollectsTheAnswerAndHoldsItselfUntilThen) {
  auto one = begin({.function = "f"});
  std::weak_ptr<OneInvocation> watched = one;
  auto& invocation = one->invocation;
  auto& heard = listener(one);
  one.reset();
  heard.on_response(invocation, 201, "a\0b\0a\0c\0"s, "one ", false);
  heard.on_body(invocation, "two ", false);
  ASSERT_FALSE(watched.expired());
  EXPECT_EQ(answers, 0);
  heard.on_body(invocation, "three", true);
  EXPECT_EQ(answers, 1);
  EXPECT_TRUE(watched.expired());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201U);
  EXPECT_EQ(answer->body, "one two three");
  EXPECT_EQ(answer->headers,
            (admin::Headers{{"a", "b"}, {"a", "c"}, {"mayfly-invocation", std::string(32, '7')}}));
}

TEST_F(OneInvocationTest, AFailureNamesTheInvocation) {
  const auto one = begin({.function = "f"});
  listener(one).on_failure(one->invocation, Error{pool::PoolErrc::handler_threw, "no", {}});
  EXPECT_EQ(answers, 1);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().detail("invocation"), std::string(32, '7'));
}

TEST_F(OneInvocationTest, AnAnswerThatIsTooLongIsAnErrorAndNotHalfAnAnswer) {
  const auto one = begin({.function = "f"});
  const std::string part(1U << 20U, 'x');
  listener(one).on_response(one->invocation, 200, {}, part, false);
  for (int i = 1; i < 64; ++i) listener(one).on_body(one->invocation, part, false);
  EXPECT_EQ(answers, 0) << "64 MiB are allowed";
  listener(one).on_body(one->invocation, "x", true);
  EXPECT_EQ(answers, 1);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, pool::PoolErrc::answer_broken);
}

}  // namespace
}  // namespace mayfly::daemon
