#include "registry/trigger_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/config_toml.h"

namespace mayfly::registry {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

FunctionConfig config_of(std::string_view text) {
  auto specs = parse_toml(text, "mayfly.toml");
  EXPECT_TRUE(specs) << specs.error().message;
  return specs && specs->size() == 1 ? specs->front().config : FunctionConfig{};
}

Error error_of(std::string_view text) {
  auto specs = parse_toml(text, "mayfly.toml");
  EXPECT_FALSE(specs) << text;
  return specs ? Error{} : specs.error();
}

constexpr const char* kEverything = R"(
[[functions.f.on]]
topic = "image.uploaded"
filter = { type = ["image.*", "!image.tmp"], source = "/cam/1" }
batch = 10
batch_wait = "2s"
concurrency = 3
attempts = 7
backoff = "500ms"
backoff_max = "10m"
max_age = "7d"
ordered = true
[[functions.f.on]]
schedule = "0 3 * * *"
timezone = "Europe/Berlin"
missed = "skip"
payload = "{\"deep\": true}"
attempts = 1
[functions.f.async]
attempts = 2
backoff = "3s"
backoff_max = "4s"
max_age = "5m"
concurrency = 6
keep_result = "0s"
)";

TEST(Triggers, EveryKeyIsRead) {
  const auto config = config_of(kEverything);
  ASSERT_EQ(config.on.size(), 2U);
  EXPECT_EQ(std::get<TopicTrigger>(config.on[0].source),
            (TopicTrigger{.topic = "image.uploaded",
                          .filter = {{"type", {"image.*", "!image.tmp"}}, {"source", {"/cam/1"}}},
                          .batch = 10,
                          .batch_wait = 2s,
                          .ordered = true}));
  EXPECT_EQ(config.on[0].delivery, (DeliveryPolicy{7, 500ms, 10min, 7 * 24h, 3}));
  EXPECT_EQ(std::get<ScheduleTrigger>(config.on[1].source),
            (ScheduleTrigger{"0 3 * * *", "Europe/Berlin", Missed::skip, "{\"deep\": true}"}));
  EXPECT_EQ(config.on[1].delivery, (DeliveryPolicy{.attempts = 1}));
  EXPECT_EQ(config.async, (AsyncConfig{{2, 3s, 4s, 5min, 6}, 0s}));
}

TEST(Triggers, WhatIsNotSaidHasADefault) {
  const auto config =
      config_of("[[functions.f.on]]\ntopic = \"t\"\n[[functions.f.on]]\nschedule = \"@daily\"\n");
  EXPECT_EQ(config.on, (std::vector<Trigger>{{TopicTrigger{.topic = "t"}, {}},
                                             {ScheduleTrigger{.schedule = "@daily"}, {}}}));
  EXPECT_EQ(config.on[0].delivery, (DeliveryPolicy{5, 1s, 1h, 24h, 16}));
  EXPECT_EQ(config.async, (AsyncConfig{{5, 1s, 1h, 24h, 16}, 24h}));
  EXPECT_TRUE(config_of("[functions.f]\non = []\n").on.empty());
}

TEST(Triggers, ErrorsHaveThePlaceAndSayWhatIsAllowed) {
  for (const auto& [line, why] : std::vector<std::pair<std::string, std::string>>{
           {"topic = \"a/b\"", "on.topic: allowed is 1 to 128 letters, digits"},
           {"topic = \"\"", "on.topic: allowed is"},
           {"topic = \".a\"", "on.topic: allowed is"},
           {"topic = 3", "on.topic: it has to be a text; allowed is"},
           {"topic = \"t\"\nbacth = 3", "unknown key 'on.bacth' (did you mean 'on.batch'?)"},
           {"topic = \"t\"\nbatch = 0", "on.batch: allowed is 1 to 1000"},
           {"topic = \"t\"\nbatch = 1001", "1 to 1000"},
           {"topic = \"t\"\nbatch_wait = \"6m\"", "0s to 5m"},
           {"topic = \"t\"\nordered = \"yes\"", "true or false"},
           {"topic = \"t\"\nconcurrency = 0", "1 to 1000"},
           {"topic = \"t\"\nattempts = 101", "1 to 100"},
           {"topic = \"t\"\nbackoff = \"0s\"", "1ms to backoff_max"},
           {"topic = \"t\"\nbackoff_max = \"25h\"", "1ms to 1d"},
           {"topic = \"t\"\nmax_age = \"31d\"", "1s to 30d"},
           {"topic = \"t\"\nfilter = \"image.*\"", "a table of texts, or of lists of texts"},
           {"topic = \"t\"\nfilter = { type = [] }", "'type' has no pattern"},
           {"topic = \"t\"\nfilter = { type = [1] }", "a table of texts, or of lists of texts"},
           {"topic = \"t\"\ntimezone = \"UTC\"",
            "on.timezone belongs to a trigger with a schedule, and this one has a topic"},
           {"schedule = \"\"", "like \"0 3 * * *\""},
           {"schedule = \"@daily\"\nbatch = 2",
            "on.batch belongs to a trigger with a topic, and this one has a schedule"},
           {"schedule = \"@daily\"\nmissed = \"all\"", "\"once\" or \"skip\""},
           {"schedule = \"@daily\"\npayload = [\"a\"]", "on.payload: it has to be a text"}}) {
    const auto error = error_of("[[functions.f.on]]\n" + line + "\n");
    EXPECT_EQ(error.code, RegistryErrc::bad_config) << line;
    EXPECT_THAT(error.message, HasSubstr(why)) << line;
    EXPECT_THAT(error.message, StartsWith(line.contains('\n') ? "mayfly.toml:3: " : "mayfly.toml:2: "))
        << line;
    EXPECT_THAT(std::string(error.detail("key")), StartsWith("on.")) << line;
  }
}

TEST(Triggers, WhatNoSingleKeyTellsIsCheckedToo) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"[[functions.f.on]]\nbatch = 3\n", "mayfly.toml:1: on: a trigger needs a topic or a schedule"},
           {"[[functions.f.on]]\ntopic = \"t\"\nschedule = \"@daily\"\n", "not both"},
           {"[[functions.f.on]]\ntopic = \"t\"\nbackoff = \"2h\"\n",
            "on.backoff (2h) is more than backoff_max (1h)"},
           {"[[functions.f.on]]\ntopic = \"t\"\nbatch_wait = \"2s\"\n", "needs a batch of more than 1"},
           {"[[functions.f.on]]\ntopic = \"t\"\n[[functions.f.on]]\ntopic = \"t\"\n",
            "mayfly.toml:3: on.topic: 't' is there twice"},
           {"[[functions.f.on]]\nschedule = \"@daily\"\n[[functions.f.on]]\nschedule = \"@daily\"\n",
            "on.schedule: '@daily' is there twice with the time zone UTC"},
           {"[[functions.f.on]]\nschedule = \"0 25 * * *\"\n",
            "mayfly.toml:1: on.schedule: hour: '25' is not in 0 to 23"},
           {"[[functions.f.on]]\nschedule = \"0 0 31 2 *\"\n", "never comes"},
           {"[[functions.f.on]]\nschedule = \"@daily\"\ntimezone = \"Europe/Belrin\"\n",
            "on.timezone: there is no time zone 'Europe/Belrin' (did you mean 'Europe/Berlin'?)"},
           {"[[functions.f.on]]\ntopic = \"t\"\nfilter = { data = \"x\" }\n",
            "on.filter: 'data' is not an attribute"},
           {"[functions.f]\non = \"t\"\n", "one [[functions.NAME.on]] with a topic or a schedule"},
           {"[functions.f]\non = [1]\n", "one [[functions.NAME.on]]"},
           {"[functions.f.on]\ntopic = \"t\"\n", "one [[functions.NAME.on]]"},
           {"[functions.f]\nasync = true\n", "a table [functions.NAME.async]"},
           {"[functions.f.asinc]\nattempts = 1\n", "unknown key 'asinc' (did you mean 'async'?)"},
           {"[functions.f.async]\nattempt = 1\n",
            "unknown key 'async.attempt' (did you mean 'async.attempts'?)"},
           {"[functions.f.async]\nkeep_result = \"31d\"\n", "async.keep_result: allowed is 0s to 30d"},
           {"[functions.f.async]\nbackoff = \"2h\"\n", "async.backoff (2h) is more than backoff_max (1h)"}}) {
    const auto error = error_of(text);
    EXPECT_EQ(error.code, RegistryErrc::bad_config) << text;
    EXPECT_THAT(error.message, HasSubstr(why)) << text;
  }
  EXPECT_EQ(config_of("[[functions.f.on]]\nschedule = \"@daily\"\n"
                      "[[functions.f.on]]\nschedule = \"@daily\"\ntimezone = \"Asia/Tokyo\"\n")
                .on.size(),
            2U);
}

TEST(Triggers, ThereIsAMostOfThemAndOfPatterns) {
  std::string text;
  for (std::size_t i = 0; i < kMaxTriggers; ++i)
    text += "[[functions.f.on]]\ntopic = \"t" + std::to_string(i) + "\"\n";
  EXPECT_EQ(config_of(text).on.size(), kMaxTriggers);
  EXPECT_THAT(error_of(text + "[[functions.f.on]]\ntopic = \"t\"\n").message,
              HasSubstr("at most 64 triggers can be listed"));
  std::string patterns;
  for (int i = 0; i <= 100; ++i) patterns += "\"p\",";
  EXPECT_THAT(error_of("[[functions.f.on]]\ntopic = \"t\"\nfilter = { type = [" + patterns + "] }\n").message,
              HasSubstr("at most 100 patterns"));
}

TEST(Triggers, AreStoredAndReadAgain) {
  const auto config = config_of(kEverything);
  const auto json = config_to_json(config);
  const auto again = config_from_json(json);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->on, config.on);
  EXPECT_EQ(again->async, config.async);
  EXPECT_EQ(config_to_json(*again), json);
  // A time zone that the system has lost does not keep a daemon from starting.
  EXPECT_TRUE(config_from_json(R"({"on": [{"schedule": "@daily", "timezone": "Europe/Atlantis"}]})"));
  for (const char* damaged : {R"({"on": [3]})", R"({"on": [{}]})", R"({"on": [{"topic": "t", "x": 1}]})",
                              R"({"on": {}})", R"({"async": []})", R"({"async": {"attempts": null}})"})
    EXPECT_FALSE(config_from_json(damaged)) << damaged;
}

TEST(Triggers, SettingsBeginThemOrGoOnWithThem) {
  FunctionSpec spec;
  spec.config = config_of(kEverything);
  const auto set = [&](std::string_view setting) {
    const auto done = set_text(spec, setting);
    return done ? "" : done.error().message;
  };
  EXPECT_THAT(set("on.batch=3"), HasSubstr("say first which trigger is meant"));
  EXPECT_EQ(set("on.topic=image.uploaded"), "");
  EXPECT_EQ(set("on.batch=20"), "");
  EXPECT_EQ(set("on.filter.type=a,b"), "");
  EXPECT_EQ(set("on.schedule=0 3 * * *"), "");
  EXPECT_EQ(set("on.missed=once"), "");
  EXPECT_EQ(set("on.topic=other"), "");
  EXPECT_EQ(set("on.ordered=true"), "");
  EXPECT_EQ(set("async.attempts=9"), "");
  ASSERT_EQ(spec.config.on.size(), 3U);
  const auto& first = std::get<TopicTrigger>(spec.config.on[0].source);
  EXPECT_EQ(first.batch, 20);
  EXPECT_THAT(first.filter.at("type"), ElementsAre("a", "b"));
  EXPECT_THAT(first.filter.at("source"), ElementsAre("/cam/1"));
  EXPECT_EQ(std::get<ScheduleTrigger>(spec.config.on[1].source).missed, Missed::once);
  EXPECT_EQ(spec.config.on[2].source,
            (std::variant<TopicTrigger, ScheduleTrigger>(TopicTrigger{.topic = "other", .ordered = true})));
  EXPECT_EQ(spec.config.async.delivery.attempts, 9);

  EXPECT_THAT(set("on.timezone=UTC"), HasSubstr("belongs to a trigger with a schedule"));
  EXPECT_THAT(set("on.bacth=1"), HasSubstr("did you mean 'on.batch'?"));
  EXPECT_THAT(set("on.batch=many"), HasSubstr("'many' is not a whole number; allowed is 1 to 1000"));
  EXPECT_THAT(set("on.filter=a"), HasSubstr("give each part as on.filter.NAME=value"));
  EXPECT_THAT(set("on=topic"), HasSubstr("give each part as on.NAME=value"));
  EXPECT_THAT(set("async.attempts=0"), HasSubstr("async.attempts: allowed is 1 to 100"));
  EXPECT_EQ(set("on.backoff=2h"), "");
  EXPECT_FALSE(check_together(spec.config));
  EXPECT_EQ(set("on.backoff=1s"), "");
  EXPECT_TRUE(check_together(spec.config));
  EXPECT_EQ(set("on.schedule=often"), "");
  EXPECT_THAT(check_together(spec.config).error().message, HasSubstr("on.schedule: cron has five fields"));
  EXPECT_EQ(set("on="), "");
  EXPECT_TRUE(spec.config.on.empty());
  EXPECT_THAT(set("on.batch=3"), HasSubstr("say first which trigger is meant"));
}

TEST(TopicName, IsOfLettersDigitsAndThreeSigns) {
  for (const char* good : {"a", "0", "image.uploaded", "A_b-C.9"}) EXPECT_TRUE(is_topic_name(good)) << good;
  for (const char* bad : {"", ".a", "-a", "_a", "a b", "a/b", "ä", "a*"})
    EXPECT_FALSE(is_topic_name(bad)) << bad;
  EXPECT_TRUE(is_topic_name(std::string(128, 'a')));
  EXPECT_FALSE(is_topic_name(std::string(129, 'a')));
}

}  // namespace
}  // namespace mayfly::registry
