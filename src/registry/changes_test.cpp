#include "registry/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/config_keys.h"

namespace mayfly::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

FunctionConfig with(const std::vector<std::string>& settings) {
  FunctionSpec spec;
  for (const auto& setting : settings) {
    const auto set = set_text(spec, setting);
    EXPECT_TRUE(set) << setting;
  }
  return spec.config;
}

std::vector<Change> between(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  return changes_between(with(before), with(after));
}

/// The only change that there is.
Change one(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const auto all = between(before, after);
  EXPECT_EQ(all.size(), 1U);
  return all.empty() ? Change{} : all.front();
}

TEST(Changes, TheSameIsNone) {
  EXPECT_THAT(between({}, {}), IsEmpty());
  EXPECT_THAT(between({"timeout=10s"}, {}), IsEmpty()) << "that is the default";
  const std::vector<std::string> all{"access=key", "env.A=1", "on.topic=orders", "secrets=KEY"};
  EXPECT_THAT(between(all, all), IsEmpty());
}

TEST(Changes, WhatOnceWasSaidOnTheCommandLineIsLost) {
  EXPECT_EQ(one({"timeout=30s"}, {}), (Change{"timeout", ChangeKind::lost, "30s", "10s", {"timeout=30s"}}));
  EXPECT_EQ(one({"rate_limit=5/s"}, {}),
            (Change{"rate_limit", ChangeKind::lost, "5/s", "", {"rate_limit=5/s"}}));
  EXPECT_EQ(one({"async.attempts=9"}, {}),
            (Change{"async.attempts", ChangeKind::lost, "9", "5", {"async.attempts=9"}}));
}

TEST(Changes, LessIsForbiddenThanBefore) {
  EXPECT_EQ(one({"access=key"}, {}),
            (Change{"access", ChangeKind::weakened, "key", "public", {"access=key"}}));
  EXPECT_EQ(one({"network=none"}, {}),
            (Change{"network", ChangeKind::weakened, "none", "outbound", {"network=none"}}));
  EXPECT_EQ(one({}, {"network=host"}).kind, ChangeKind::weakened);
  EXPECT_EQ(one({"isolation=request"}, {}).kind, ChangeKind::weakened);
  EXPECT_EQ(one({}, {"access=key"}).kind, ChangeKind::added);
  EXPECT_EQ(one({"network=host"}, {"network=none"}).kind, ChangeKind::changed);
}

TEST(Changes, OfAListWhatIsMissingCounts) {
  EXPECT_EQ(one({"secrets=A,B"}, {"secrets=B,C"}),
            (Change{"secrets", ChangeKind::lost, "A,B", "B,C", {"secrets=A,B,C"}}));
  EXPECT_EQ(one({"secrets=A"}, {"secrets=A,B"}).kind, ChangeKind::added);
  EXPECT_EQ(one({"wrap=a,b"}, {"wrap=b,a"}).kind, ChangeKind::changed);
  EXPECT_EQ(one({"routes=GET /a"}, {}),
            (Change{"routes", ChangeKind::lost, "GET /a", "", {"routes=GET /a"}}));
  const std::vector<std::string> jwt{"access=jwt", "jwt.jwks=/k", "jwt.issuer=i", "jwt.audience=a"};
  auto more = jwt;
  more.emplace_back("jwt.scopes=read,write");
  EXPECT_EQ(one(more, jwt),
            (Change{"jwt.scopes", ChangeKind::lost, "read,write", "", {"jwt.scopes=read,write"}}));
}

TEST(Changes, ValuesOfVariablesAreNotShown) {
  EXPECT_EQ(one({"env.A=hush"}, {}), (Change{"env.A", ChangeKind::lost, "", "", {"env.A=..."}}));
  EXPECT_EQ(one({"env.A=hush"}, {"env.A=other"}),
            (Change{"env.A", ChangeKind::changed, "", "", {"env.A=..."}}));
  EXPECT_EQ(one({}, {"env.A=hush"}), (Change{"env.A", ChangeKind::added, "", "", {}}));
}

TEST(Changes, TriggersAreToldApartByWhatTheyWaitFor) {
  EXPECT_EQ(one({"on.topic=orders"}, {}),
            (Change{"on.topic=orders", ChangeKind::lost, "set", "", {"on.topic=orders"}}));
  EXPECT_EQ(one({"on.topic=orders", "on.batch=10", "on.filter.type=a.*,b.*"}, {"on.topic=orders"}),
            (Change{"on.topic=orders",
                    ChangeKind::changed,
                    "batch=10 filter.type=a.*,b.*",
                    "set",
                    {"on.topic=orders", "on.batch=10", "on.filter.type=a.*,b.*"}}));
  EXPECT_EQ(one({"on.schedule=@daily", "on.timezone=Europe/Berlin"}, {}).key,
            "on.schedule=@daily Europe/Berlin");
  EXPECT_EQ(one({"on.schedule=@daily"}, {"on.schedule=@daily", "on.topic=x"}).kind, ChangeKind::added);
  const auto payload = one({"on.schedule=@daily", "on.payload=" + std::string(5000, 'x')}, {});
  EXPECT_THAT(payload.keep, ElementsAre("on.schedule=@daily", "on.payload=..."));
  EXPECT_LT(payload.before.size(), 100U);
}

TEST(Changes, SomeAreWarnings) {
  EXPECT_TRUE(is_warning(ChangeKind::lost));
  EXPECT_TRUE(is_warning(ChangeKind::weakened));
  EXPECT_FALSE(is_warning(ChangeKind::added));
  EXPECT_FALSE(is_warning(ChangeKind::changed));
}

}  // namespace
}  // namespace mayfly::registry
