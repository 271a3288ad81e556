#include "events/event.h"

#include <gtest/gtest.h>

namespace mayfly::events {
namespace {

TEST(DeliveryId, IsThirtyTwoDigitsWithEachPartInItsPlace) {
  const DeliveryId id{.stream = 0x12345, .position = 0x9abcdef01, .queue = 0x54321, .check = 0xfedcba9876543};
  EXPECT_EQ(to_text(id), "123459abcdef0154321fedcba9876543");
  EXPECT_EQ(to_text({.stream = 1, .position = 2, .queue = 3, .check = 4}),
            "00001000000002000030000000000004");
}

TEST(DeliveryId, IsReadAsItWasWritten) {
  const DeliveryId largest{.stream = (1U << 20U) - 1,
                           .position = (Position{1} << 36U) - 1,
                           .queue = (1U << 20U) - 1,
                           .check = (std::uint64_t{1} << 52U) - 1};
  EXPECT_EQ(to_text(largest), std::string(32, 'f'));
  EXPECT_EQ(parse_delivery_id(to_text(largest)), largest);
  const DeliveryId small{.stream = 1, .position = 2, .queue = 0, .check = 4};
  EXPECT_EQ(parse_delivery_id(to_text(small)), small);
}

TEST(DeliveryId, NothingElseIsOne) {
  const auto good = to_text({.stream = 1, .position = 2, .queue = 3, .check = 0xabc});
  ASSERT_TRUE(parse_delivery_id(good));
  EXPECT_FALSE(parse_delivery_id(""));
  EXPECT_FALSE(parse_delivery_id(good.substr(1)));
  EXPECT_FALSE(parse_delivery_id(good + "0"));
  for (const char wrong : {'g', 'A', ' ', '-', '\0'}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      auto text = good;
      text[at] = wrong;
      EXPECT_FALSE(parse_delivery_id(text)) << text;
    }
  }
}

TEST(State, HasANameThatIsRead) {
  for (const auto state :
       {State::queued, State::running, State::failed, State::succeeded, State::dead, State::cancelled})
    EXPECT_EQ(state_of(name_of(state)), state);
  EXPECT_EQ(name_of(State::dead), "dead");
  EXPECT_FALSE(state_of("Dead"));
  EXPECT_FALSE(state_of(""));
  EXPECT_FALSE(is_final(State::failed));
  EXPECT_TRUE(is_final(State::succeeded));
  EXPECT_TRUE(is_final(State::cancelled));
}

}  // namespace
}  // namespace mayfly::events
