#include "base/together.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

namespace mayfly {
namespace {

struct TogetherTest : testing::Test {
  void post(boost::asio::io_context& to, int number) {
    Together::post(to.get_executor(), [this, number] { done.push_back(number); });
  }
  boost::asio::io_context one, other;
  std::vector<int> done;
};

TEST_F(TogetherTest, WhatIsPostedToOneExecutorIsOnePieceInItsOrder) {
  {
    const Together together;
    post(one, 1);
    post(other, 2);
    post(one, 3);
    EXPECT_EQ(one.poll() + other.poll(), 0U) << "it goes at the end";
    one.restart();
    other.restart();
  }
  EXPECT_EQ(one.poll(), 1U);
  EXPECT_EQ(done, (std::vector{1, 3}));
  EXPECT_EQ(other.poll(), 1U);
  EXPECT_EQ(done, (std::vector{1, 3, 2}));
}

TEST_F(TogetherTest, WithoutOneItIsPostedAtOnce) {
  {
    const Together together;
  }
  post(one, 1);
  post(one, 2);
  EXPECT_EQ(one.poll(), 2U);
  EXPECT_EQ(done, (std::vector{1, 2}));
}

TEST_F(TogetherTest, AnInnerOneDoesNotEndTheOuter) {
  {
    const Together outer;
    {
      const Together inner;
      post(one, 1);
    }
    EXPECT_EQ(one.poll(), 1U);
    one.restart();
    post(one, 2);
    EXPECT_EQ(one.poll(), 0U);
    one.restart();
  }
  EXPECT_EQ(one.poll(), 1U);
}

TEST_F(TogetherTest, WhatIsNeverRunIsLetGoWithItsContext) {
  const auto held = std::make_shared<int>(1);
  {
    boost::asio::io_context never;
    const Together together;
    Together::post(never.get_executor(), [held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace mayfly
