#include "pipelines/definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "registry/error.h"

namespace mayfly::pipelines {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kEverything = R"({
  "access": "public", "keep": "2d",
  "on": [{"topic": "signups", "filter": {"type": "new.*"}}, {"schedule": "@daily", "payload": "{}"}],
  "steps": [
    {"name": "code", "function": "make-code", "input": {"email": "$.input.email", "price": "$$5"}, "attempts": 3,
     "backoff": "2s", "backoff_max": "1m", "max_age": "1h", "timeout": "30s", "undo": "forget@stable",
     "on_error": "verified", "next": "mail-all"},
    {"name": "mail-all", "function": "send@3", "each": "$.steps.code.addresses", "concurrency": 4,
     "input": ["$.item", "$.index"]},
    {"name": "verified", "await": "verify", "timeout": "10d", "on_error": "end"},
    {"name": "right", "branch": "$.steps.code['ok']", "cases": {"true": "later", "false": "verified"}, "default": "end"},
    {"name": "later", "wait": "3d", "next": "end"}
  ]})";

Definition parsed(const std::string& text) {
  auto definition = parse_definition("signup", text);
  EXPECT_TRUE(definition) << definition.error().message;
  return definition.value_or(Definition{});
}

/// The message of the error, in front of it the key that it is about.
std::string refusal(const std::string& text) {
  const auto definition = parse_definition("signup", text);
  EXPECT_FALSE(definition) << text;
  if (definition) return "(none)";
  EXPECT_EQ(definition.error().code, registry::RegistryErrc::bad_config);
  return std::string(definition.error().detail("key")) + "| " + definition.error().message;
}

/// … of the only step, whose other keys are given.
std::string step_refusal(const std::string& keys) {
  return refusal(R"({"steps":[{"name":"a",)" + keys + "}]}");
}

TEST(Definition, EveryKeyIsRead) {
  const auto all = parsed(kEverything);
  EXPECT_EQ(all.access, Access::everyone);
  EXPECT_EQ(all.keep, 48h);
  EXPECT_EQ(all.on.size(), 2U);
  ASSERT_EQ(all.steps.size(), 5U);
  const registry::DeliveryPolicy often{.attempts = 3, .backoff = 2s, .backoff_max = 1min, .max_age = 1h};
  EXPECT_EQ(all.steps[0], (Step{.name = "code",
                                .function = "make-code",
                                .input = R"({"email":"$.input.email","price":"$$5"})",
                                .delivery = often,
                                .timeout = 30s,
                                .undo = "forget@stable",
                                .on_error = "verified",
                                .next = "mail-all"}));
  EXPECT_EQ(all.steps[1], (Step{.name = "mail-all",
                                .function = "send@3",
                                .input = R"(["$.item","$.index"])",
                                .each = "$.steps.code.addresses",
                                .delivery = {.concurrency = 4}}));
  EXPECT_EQ(all.steps[2], (Step{.name = "verified",
                                .kind = Step::Kind::await,
                                .timeout = 240h,
                                .await = "verify",
                                .on_error = "end"}));
  EXPECT_EQ(all.steps[3], (Step{.name = "right",
                                .kind = Step::Kind::branch,
                                .branch = "$.steps.code['ok']",
                                .cases = {{"false", "verified"}, {"true", "later"}},
                                .otherwise = "end"}));
  EXPECT_EQ(all.steps[4], (Step{.name = "later", .kind = Step::Kind::wait, .wait = 72h, .next = "end"}));
}

TEST(Definition, HasDefaults) {
  const auto plain = parsed(R"({"steps":[{"name":"a","function":"f"}]})");
  EXPECT_EQ(plain, (Definition{.name = "signup", .steps = {{.name = "a", .function = "f"}}}));
  EXPECT_EQ(plain.access, Access::key);
  EXPECT_EQ(plain.keep, 14 * 24h);
}

TEST(Definition, IsReadAgainAsItWasWritten) {
  const auto all = parsed(kEverything);
  EXPECT_EQ(parsed(to_json(all)), all);
  const auto stored = stored_definition("signup", to_json(StoredDefinition{all, 7, 1234}));
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored->definition, all);
  EXPECT_EQ(stored->revision, 7);
  EXPECT_EQ(stored->changed, 1234);
}

TEST(Definition, AStoredOneStaysReadableWhateverTimeZonesThereAre) {
  const std::string text =
      R"({"on":[{"schedule":"@daily","timezone":"Gone/City"}],"steps":[{"name":"a","function":"f"}]})";
  EXPECT_THAT(refusal(text), HasSubstr("on.timezone"));
  EXPECT_TRUE(stored_definition("signup", text));
  EXPECT_FALSE(stored_definition("signup", "damaged"));
  EXPECT_FALSE(stored_definition("signup", "{}"));
}

TEST(Definition, KnowsWhatFollows) {
  const auto all = parsed(kEverything);
  EXPECT_EQ(all.successor(all.steps[0]), "mail-all");
  EXPECT_EQ(all.successor(all.steps[1]), "verified");
  EXPECT_EQ(all.successor(all.steps[4]), "end");
  const auto last = parsed(R"({"steps":[{"name":"a","function":"f"}]})");
  EXPECT_EQ(last.successor(last.steps[0]), "end");
  EXPECT_EQ(all.find("later"), &all.steps[4]);
  EXPECT_EQ(all.find("end"), nullptr);
}

TEST(Definition, NamesUnknownKeysAndWhatWasMeant) {
  EXPECT_THAT(refusal(R"({"acess":"key","steps":[{"name":"a","function":"f"}]})"),
              AllOf(HasSubstr("acess|"), HasSubstr("did you mean 'access'?")));
  EXPECT_THAT(step_refusal(R"("function":"f","atempts":3)"),
              AllOf(HasSubstr("steps.a.atempts|"), HasSubstr("did you mean 'steps.a.attempts'?")));
  EXPECT_THAT(step_refusal(R"("wait":"1s","undo":"f")"),
              HasSubstr("steps.a.undo belongs to a step with 'function', and this one has 'wait'"));
  EXPECT_THAT(step_refusal(R"("await":"e","input":1)"), HasSubstr("steps.a.input belongs to"));
  EXPECT_THAT(refusal(R"({"on":[{"topc":"a"}],"steps":[]})"), HasSubstr("a topic or a schedule"));
}

TEST(Definition, NeedsStepsThatAreTables) {
  for (const auto* text : {"", "[]", "{}", R"({"steps":[]})", R"({"steps":{}})", R"({"steps":[1]})"})
    EXPECT_THAT(refusal(text), HasSubstr("steps|")) << text;
  std::string many = R"({"steps":[)";
  for (std::size_t i = 0; i <= kMaxSteps; ++i)
    many += std::string(i > 0 ? "," : "") + R"({"name":"s)" + std::to_string(i) + R"(","wait":"1s"})";
  EXPECT_THAT(refusal(many + "]}"), HasSubstr("at most 100"));
  EXPECT_THAT(refusal(std::string(kMaxDefinition + 1, ' ')), HasSubstr("64 KiB"));
  EXPECT_THAT(refusal(R"({"steps":[{"name":"a","function":"f","input":)" + std::string(200, '[') +
                      std::string(200, ']') + "}]}"),
              HasSubstr("JSON object"));
}

TEST(Definition, AStepIsOfOneKind) {
  EXPECT_THAT(step_refusal(R"("next":"end")"), HasSubstr("needs one of function, await, branch and wait"));
  EXPECT_THAT(step_refusal(R"("function":"f","wait":"1s")"), HasSubstr("steps.a.wait|"));
  EXPECT_THAT(step_refusal(R"("branch":"$.input")"), HasSubstr("needs cases"));
  EXPECT_THAT(step_refusal(R"("function":"f","concurrency":2)"), HasSubstr("needs each"));
}

TEST(Definition, NamesAreOneStepsAlone) {
  EXPECT_THAT(refusal(R"({"steps":[{"name":"a","wait":"1s"},{"name":"a","wait":"1s"}]})"),
              HasSubstr("two are called 'a'"));
  for (const auto* name : {R"("")", R"("A")", R"("1a")", R"("-")", R"("a_b")", R"("end")", "1", R"("a/b")"})
    EXPECT_THAT(refusal(std::string(R"({"steps":[{"wait":"1s","name":)") + name + "}]}"),
                HasSubstr("steps.1.name"))
        << name;
  EXPECT_THAT(refusal(R"({"steps":[{"wait":"1s"}]})"), HasSubstr("steps.1.name"));
  EXPECT_FALSE(parse_definition("a/b", R"({"steps":[{"name":"a","wait":"1s"}]})"));
  EXPECT_EQ(check_pipeline_name("").error().code, registry::RegistryErrc::bad_name);
  EXPECT_TRUE(check_pipeline_name("a_b-1"));
  EXPECT_FALSE(check_pipeline_name(std::string(64, 'a')));
}

TEST(Definition, TargetsAreThere) {
  const auto with = [](const std::string& keys) {
    return R"({"steps":[{"name":"first","function":"f"},{"name":"second",)" + keys + "}]}";
  };
  for (const auto* keys : {R"("function":"f","next":"frist")", R"("function":"f","on_error":"frist")",
                           R"("branch":"$.input","cases":{"x":"frist"})",
                           R"("branch":"$.input","cases":{"x":"first"},"default":"frist")"})
    EXPECT_THAT(refusal(with(keys)), HasSubstr("there is no step 'frist' (did you mean 'first'?)")) << keys;
  EXPECT_THAT(refusal(with(R"("branch":"$.input","cases":{"x":"frist"})")),
              HasSubstr("steps.second.cases.x|"));
}

TEST(Definition, RangesAreChecked) {
  for (const auto* keys : {R"("function":"f","attempts":0)",
                           R"("function":"f","attempts":101)",
                           R"("function":"f","timeout":"16m")",
                           R"("function":"f","timeout":"0s")",
                           R"("function":"f","max_age":"31d")",
                           R"("function":"f","backoff":"2h")",
                           R"("function":"F")",
                           R"("function":"f@")",
                           R"("function":"f@0")",
                           R"("function":"f@A")",
                           R"("function":"")",
                           R"("function":"f","undo":"")",
                           R"("function":"f","each":"$.input","concurrency":1001)",
                           R"("function":"f","next":"")",
                           R"("await":"Verify")",
                           R"("await":"v","timeout":"366d")",
                           R"("await":"v","timeout":"1ms")",
                           R"("wait":"0s")",
                           R"("wait":"366d")",
                           R"("wait":5)",
                           R"("branch":"$.input","cases":{})",
                           R"("branch":"$.input","cases":{"a":""})",
                           R"("branch":"$.input","cases":{"a":1})",
                           R"("branch":"x","cases":{"a":"end"})",
                           R"("function":"f","each":"$.input[*]")",
                           R"("function":"f","each":["$.input"])"})
    EXPECT_THAT(step_refusal(keys), HasSubstr("steps.a.")) << keys;
  for (const auto* keys : {R"("keep":"59s")", R"("keep":"91d")", R"("keep":1)", R"("access":"jwt")",
                           R"("access":1)", R"("on":1)", R"("on":[1])", R"("on":[{"topic":"t","batch":2}])",
                           R"("on":[{"topic":"t"},{"topic":"t"}])"})
    EXPECT_THAT(refusal(std::string("{") + keys + R"(,"steps":[{"name":"a","wait":"1s"}]})"), HasSubstr("| "))
        << keys;
}

TEST(Definition, PathsBeginWithWhatARunKnows) {
  const auto of = [](const std::string& input) {
    return R"("function":"f","input":{"x":[")" + input + R"("]})";
  };
  for (const auto* path : {"$.input", "$.input[0].a", "$.previous", "$.steps.a", "$['steps']['a'].b",
                           "$.error.type", "$.run.id", "$$.nothing", "$$", "plain"})
    EXPECT_TRUE(parse_definition("p", R"({"steps":[{"name":"a",)" + of(path) + "}]}")) << path;
  for (const auto* path :
       {"$", "$.inptu", "$[0]", "$.steps", "$.steps[0]", "$.steps.b", "$.item", "$.index", "$x", "$.input."})
    EXPECT_THAT(step_refusal(of(path)), HasSubstr("steps.a.input|")) << path;
  EXPECT_THAT(step_refusal(of("$.inptu")), HasSubstr("did you mean 'input'?"));
  EXPECT_THAT(step_refusal(of("$.steps.b")), HasSubstr("there is no step 'b'"));
  EXPECT_THAT(step_refusal(R"("function":"f","each":"$.item")"), HasSubstr("steps.a.each|"));
  EXPECT_THAT(step_refusal(R"("branch":"$.steps.x","cases":{"a":"end"})"), HasSubstr("steps.a.branch|"));
}

}  // namespace
}  // namespace mayfly::pipelines
