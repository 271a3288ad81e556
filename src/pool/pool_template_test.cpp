// How a pool's template is made, and what is said when it cannot be.
#include "pool/pool_test_support.h"

namespace mayfly::pool {
namespace {

TEST_F(PoolTest, CodeThatCannotBeLoadedIsAnErrorWithItsPlace) {
  runtime.loads = false;
  std::optional<Result<void>> result;
  pool->prepare([&](const Result<void>& r) { result = r; });
  loop.settle();
  runtime.template_says(wire::ControlType::failed,
                        R"({"kind":"syntax","message":"SyntaxError: x","stack":"","file":"f.js","line":3})");
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, PoolErrc::template_failed);
  EXPECT_EQ(result->error().message, "SyntaxError: x");
  EXPECT_EQ(result->error().detail("kind"), "syntax");
  EXPECT_EQ(result->error().detail("line"), "3");
  EXPECT_EQ(listener.unavailable.size(), 1U);
  EXPECT_EQ(pool->template_state(), Pool::Template::failed);
  runtime.loads = true;
  EXPECT_TRUE(prepare()) << "the next who asks makes it try again";
}

TEST_F(PoolTest, AReportThatIsNoJsonIsAFailureLikeAnyOther) {
  runtime.loads = false;
  std::optional<Result<void>> result;
  pool->prepare([&](const Result<void>& r) { result = r; });
  loop.settle();
  runtime.template_says(wire::ControlType::failed, "not json");
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(result->error().message, "the code cannot be loaded");
}

TEST_F(PoolTest, ATemplateThatDiesWhileItLoadsIsTriedThreeTimes) {
  runtime.loads = false;
  std::optional<Result<void>> result;
  pool->prepare([&](const Result<void>& r) { result = r; });
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(loop.until([&] { return runtime.templates == attempt; }));
    EXPECT_FALSE(result);
    logs.last_words.back()->append("last words");
    runtime.kill_template();
    loop.settle();
    runtime.template_exited(W_EXITCODE(3, 0));
    loop.settle();
  }
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(result->error().code, PoolErrc::template_failed);
  EXPECT_EQ(result->error().message, "the process ended with exit code 3 while it loaded the code");
  EXPECT_EQ(result->error().detail("logs"), "last words");
  EXPECT_EQ(runtime.templates, 3);
}

TEST_F(PoolTest, HowATemplateEndedIsNotAwaitedForEver) {
  runtime.loads = false;
  std::optional<Result<void>> result;
  pool->prepare([&](const Result<void>& r) { result = r; });
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(loop.until([&] { return runtime.templates == attempt; }));
    runtime.kill_template();
    loop.settle();
    EXPECT_FALSE(result);
    loop.skip(1s);
  }
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(result->error().message, "the process ended while it loaded the code");
}

TEST_F(PoolTest, CodeThatNeverFinishesLoadingIsGivenUp) {
  runtime.loads = false;
  std::optional<Result<void>> result;
  pool->prepare([&](const Result<void>& r) { result = r; });
  loop.settle();
  loop.skip(31s);
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(result->error().detail("limit"), "30s");
  EXPECT_TRUE(loop.until([&] { return !runtime.template_alive(); }))
      << "a process that loops for ever is killed";
}

}  // namespace
}  // namespace mayfly::pool
