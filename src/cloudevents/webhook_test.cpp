#include "cloudevents/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::cloudevents {
namespace {

using testing::HasSubstr;
using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string fields(const Pairs& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) text.append(name).append(1, '\0').append(value).append(1, '\0');
  return text;
}

TEST(Webhook, AnOriginThatAsksMaySend) {
  const Pairs ask{{"host", "x"}, {"webhook-request-origin", "eventemitter.example.com"}};
  EXPECT_EQ(*allow_webhook(fields(ask)), fields({{"allow", "OPTIONS, POST"},
                                                 {"webhook-allowed-origin", "eventemitter.example.com"},
                                                 {"webhook-allowed-rate", "*"}}));
  auto with_rate = ask;
  with_rate.emplace_back("webhook-request-rate", "120");
  with_rate.emplace_back("webhook-request-callback", "https://example.com/confirm?id=1");
  EXPECT_THAT(*allow_webhook(fields(with_rate)), HasSubstr(fields({{"webhook-allowed-rate", "*"}})));
  EXPECT_THAT(*allow_webhook(fields(with_rate), 100), HasSubstr(fields({{"webhook-allowed-rate", "100"}})));
}

// The answer must not read as a permission then.
TEST(Webhook, WhoDoesNotAskGetsNoPermission) {
  EXPECT_EQ(*allow_webhook(fields({{"host", "x"}, {"webhook-request-rate", "5"}})),
            fields({{"allow", "OPTIONS, POST"}}));
}

TEST(Webhook, AnOriginOrARateThatIsNoneIsRefused) {
  for (const auto& origin :
       {std::string(), std::string("a b"), std::string("a\"b"), std::string("a,b"), std::string(256, 'a')}) {
    const auto answer = allow_webhook(fields({{"webhook-request-origin", origin}}));
    ASSERT_FALSE(answer) << origin;
    EXPECT_EQ(answer.error().code, CloudEventsErrc::bad_webhook);
  }
  for (const char* rate : {"", "0", "-1", "1.5", "many", "*", "99999999999999999999"})
    EXPECT_FALSE(allow_webhook(fields({{"webhook-request-origin", "a"}, {"webhook-request-rate", rate}})))
        << rate;
}

}  // namespace
}  // namespace mayfly::cloudevents
