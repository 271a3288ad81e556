#include "registry/config_toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::registry {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

FunctionSpec one(std::string_view text) {
  auto specs = parse_toml(text, "mayfly.toml");
  EXPECT_TRUE(specs) << specs.error().message;
  return specs && specs->size() == 1 ? specs->front() : FunctionSpec{};
}

Error error_of(std::string_view text) {
  auto specs = parse_toml(text, "mayfly.toml");
  EXPECT_FALSE(specs) << text;
  return specs ? Error{} : specs.error();
}

TEST(ConfigToml, ReadsEveryKey) {
  const auto spec = one(R"(
[functions.hello]
source = "src/hello.js"
handler = "main"
timeout = "1500ms"
memory = "256MiB"
cpu = 1.5
processes = 100
open_files = 200
tmp = "1MiB"
log_rate = "2KiB"
concurrency = 16
isolation = "request"
min_instances = 2
max_instances = 8
queue = 5
max_request = "1GB"
network = "host"
env = { GREETING = "hi", B = "" }
routes = ["GET /hello/*", "api.example.com/v1/:id"]
class = "interactive"
eager = true
access = "jwt"
jwt = { jwks = "/keys", issuer = "i", audience = "a", scopes = ["read", "a:b/c"] }
rate_limit = "10/s burst 50"
)");
  EXPECT_EQ(spec.name, "hello");
  EXPECT_EQ(spec.source, "src/hello.js");
  EXPECT_EQ(spec.config.handler, "main");
  EXPECT_EQ(spec.config.timeout, 1500ms);
  EXPECT_EQ(spec.config.memory, 256U << 20U);
  EXPECT_EQ(spec.config.cpu, 1.5);
  EXPECT_EQ(spec.config.processes, 100);
  EXPECT_EQ(spec.config.open_files, 200);
  EXPECT_EQ(spec.config.tmp, 1U << 20U);
  EXPECT_EQ(spec.config.log_rate, 2048U);
  EXPECT_EQ(spec.config.concurrency, 16);
  EXPECT_EQ(spec.config.isolation, Isolation::request);
  EXPECT_EQ(spec.config.min_instances, 2);
  EXPECT_EQ(spec.config.max_instances, 8);
  EXPECT_EQ(spec.config.queue, 5);
  EXPECT_EQ(spec.config.max_request, 1'000'000'000U);
  EXPECT_EQ(spec.config.network, Network::host);
  EXPECT_EQ(spec.config.env, (std::map<std::string, std::string>{{"GREETING", "hi"}, {"B", ""}}));
  EXPECT_THAT(spec.config.routes, ElementsAre("GET /hello/*", "api.example.com/v1/:id"));
  EXPECT_TRUE(spec.config.eager);
  EXPECT_EQ(spec.config.access, Access::jwt);
  EXPECT_EQ(spec.config.jwt, (JwtConfig{"/keys", "i", "a", {"read", "a:b/c"}}));
  EXPECT_EQ(spec.config.rate_limit, (Rate{10, 1s, 50}));
  EXPECT_THAT(spec.warnings, ElementsAre());
}

TEST(ConfigToml, ANumberMayBeWholeOrNot) {
  EXPECT_EQ(one("[functions.x]\ncpu = 2\n").config.cpu, 2.0);
  EXPECT_EQ(one("[functions.x]\ncpu = 0.5\n").config.cpu, 0.5);
  for (const char* wrong : {"0.001", "nan", "inf", "-1", "2000", "\"0.5\"", "true"})
    EXPECT_THAT(error_of(std::string("[functions.x]\ncpu = ") + wrong + "\n").message,
                HasSubstr("0.01 to 1024 cores"));
  FunctionSpec spec;
  ASSERT_TRUE(set_text(spec, "cpu=0.25"));
  EXPECT_FALSE(set_text(spec, "cpu=0.25x"));
  EXPECT_FALSE(set_text(spec, "cpu="));
  const auto again = config_from_json(config_to_json(spec.config));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->cpu, 0.25);
}

TEST(ConfigToml, AnUnknownKeyIsAnErrorWithThePlaceAndTheNearestKey) {
  const auto error = error_of("[functions.hello]\nhandler = \"x\"\ntimout = \"1s\"\n");
  EXPECT_EQ(error.code, RegistryErrc::bad_config);
  EXPECT_EQ(error.message, "mayfly.toml:3: unknown key 'timout' (did you mean 'timeout'?)");
  EXPECT_EQ(error.detail("file"), "mayfly.toml");
  EXPECT_EQ(error.detail("line"), "3");
  EXPECT_EQ(error.detail("key"), "timout");
  EXPECT_EQ(error_of("[function.hello]\n").message,
            "mayfly.toml:1: unknown key 'function' (did you mean 'functions'?)");
  for (const std::string misplaced : {"timeout = \"5s\"", "timeout = 5", "env = {A = \"b\"}", "on = []"})
    EXPECT_THAT(error_of("\n" + misplaced + "\n[functions.hello]\n").message,
                AllOf(HasSubstr("mayfly.toml:2: '"), HasSubstr("put it below [functions.NAME]")))
        << misplaced;
}

TEST(ConfigToml, AValueOutOfRangeIsAnErrorWithTheRange) {
  for (const auto& [line, allowed] : std::vector<std::pair<std::string, std::string>>{
           {"timeout = \"16m\"", "1ms to 15m"},
           {"timeout = \"0s\"", "1ms to 15m"},
           {"timeout = 10", "1ms to 15m"},
           {"timeout = \"soon\"", "1ms to 15m"},
           {"memory = \"1MiB\"", "16MiB to 64GiB"},
           {"memory = \"65GiB\"", "16MiB to 64GiB"},
           {"concurrency = 0", "1 to 1000"},
           {"concurrency = 1001", "1 to 1000"},
           {"concurrency = 1.5", "1 to 1000"},
           {"concurrency = \"1\"", "1 to 1000"},
           {"min_instances = -1", "0 to max_instances"},
           {"max_instances = 0", "1 to 10000"},
           {"max_instances = 99999999999", "1 to 10000"},
           {"queue = -1", "0 to 1000000"},
           {"isolation = \"vm\"", "\"instance\" or \"request\""},
           {"network = \"lan\"", "\"none\", \"outbound\" or \"host\""},
           {"class = \"x\"", "\"interactive\" or \"background\""},
           {"eager = \"yes\"", "true or false"},
           {"routes = \"GET /\"", "patterns with a path"},
           {"routes = [\"GET\"]", "patterns with a path"},
           {"routes = [1]", "patterns with a path"},
           {"env = { A = 1 }", "variables with a value"},
           {"env = { \"A B\" = \"1\" }", "variables with a value"},
           {"secrets = [\"A B\"]", "names of secrets"},
           {"access = \"private\"", "\"public\", \"key\" or \"jwt\""},
           {"rate_limit = \"often\"", "a rate like"},
           {"jwt = { key = \"x\" }", "jwks = "},
           {"jwt = { issuer = \"\" }", "jwks = "},
           {"jwt = { scopes = [] }", "scopes = "},
           {"jwt = { scopes = [\"a\", \"\"] }", "scopes = "},
           {"jwt = { scopes = [1] }", "scopes = "},
           {"jwt = { scopes = \"a  b\" }", "scopes = "},
           {"jwt = { scopes = \"\\\"\" }", "scopes = "},
           {"jwt = { issuer = [\"a\", \"b\"] }", "jwks = "},
           {"env = { scopes = [\"a\"] }", "a value each"},
           {"source = \"/etc/passwd\"", "below mayfly.toml"},
           {"source = \"a/../../b\"", "below mayfly.toml"},
           {"handler = \"\"", "name of an export"}}) {
    const auto error = error_of("[functions.f]\n" + line + "\n");
    EXPECT_EQ(error.code, RegistryErrc::bad_config) << line;
    EXPECT_THAT(error.message, HasSubstr(allowed)) << line;
    EXPECT_THAT(error.message, testing::StartsWith("mayfly.toml:2: ")) << line;
    EXPECT_THAT(std::string(error.detail("allowed")), HasSubstr(allowed)) << line;
  }
}

TEST(ConfigToml, MoreInstancesAtLeastThanAtMostIsAnError) {
  const auto error = error_of("[functions.f]\nmin_instances = 65\n");
  EXPECT_THAT(error.message, HasSubstr("min_instances (65) is more than max_instances (64)"));
}

TEST(ConfigToml, TokensNeedAllThatTellsWhoseTheyAre) {
  for (const char* some :
       {"", "jwt = { jwks = \"/k\", issuer = \"i\" }", "jwt = { jwks = \"/k\", audience = \"a\" }",
        "jwt = { issuer = \"i\", audience = \"a\" }"}) {
    const auto error = error_of("[functions.f]\naccess = \"jwt\"\n" + std::string(some) + "\n");
    EXPECT_EQ(error.code, RegistryErrc::bad_config) << some;
    EXPECT_THAT(error.message, HasSubstr("needs jwt.jwks, jwt.issuer and jwt.audience")) << some;
  }
}

TEST(ConfigToml, NetworkAllowSaysWhatItDoesNotTake) {
  for (const auto& [line, why] : std::vector<std::pair<std::string, std::string>>{
           {"network_allow = \"10.0.0.1\"", "a list of texts"},
           {"network_allow = [\"127.0.0.1:5432\"]", "loopback is never opened"},
           {"network_allow = [\"10.1.2.3/24\"]", "begins at 10.1.2.0"},
           {"network_allow = [\"db.lan:5432\"]", "names are not looked up"},
           {"network_allow = [\"10.0.0.1\", \"10.0.0.1\"]", "listed twice"},
           {"network_allow = [\"10.0.0.1\"]\nnetwork = \"host\"", "network_allow belongs to network"}}) {
    const auto error = error_of("[functions.f]\n" + line + "\n");
    EXPECT_EQ(error.code, RegistryErrc::bad_config) << line;
    EXPECT_THAT(error.message, HasSubstr(why)) << line;
    EXPECT_EQ(error.detail("key"), "network_allow") << line;
  }
  std::string many = "\"10.0.0.0\"";
  for (int i = 1; i <= 64; ++i) many += ",\"10.0.0." + std::to_string(i) + "\"";
  EXPECT_THAT(error_of("[functions.f]\nnetwork_allow = [" + many + "]\n").message, HasSubstr("at most 64"));
}

TEST(ConfigToml, SecretsAreVariablesOrFiles) {
  const auto secrets = one("[functions.f]\nsecrets = [\"KEY\", \"TLS:file\"]\n").config.secrets;
  ASSERT_EQ(secrets.size(), 2U);
  EXPECT_EQ(secrets[0].name, "KEY");
  EXPECT_FALSE(secrets[0].as_file);
  EXPECT_EQ(secrets[1].name, "TLS");
  EXPECT_TRUE(secrets[1].as_file);
  for (const char* bad : {"A-B", "", "A:", ":file", "A:env", "A:file:file"})
    EXPECT_THAT(error_of("[functions.f]\nsecrets = [\"" + std::string(bad) + "\"]\n").message,
                HasSubstr("allowed is names of secrets"))
        << bad;
  EXPECT_THAT(error_of("[functions.f]\nsecrets = [\"A\", \"A:file\"]\n").message, HasSubstr("listed twice"));
  std::string many = "[functions.f]\nsecrets = [";
  for (int i = 0; i < 16; ++i) many += "\"F" + std::to_string(i) + ":file\",";
  EXPECT_EQ(one(many + "\"A\"]\n").config.secrets.size(), 17U);
  EXPECT_THAT(error_of(many + "\"A:file\"]\n").message, HasSubstr("at most 16"));
}

TEST(ConfigToml, DatasetsAreListedOnce) {
  EXPECT_THAT(one("[functions.f]\ndatasets = [\"a-b\", \"c\"]\n").config.datasets, ElementsAre("a-b", "c"));
  for (const auto* bad : {"\"a\", \"a\"", "\"a-b\", \"a_b\""})
    EXPECT_THAT(error_of("[functions.f]\ndatasets = [" + std::string(bad) + "]\n").message,
                HasSubstr("a dataset is listed twice"))
        << bad;
}

TEST(ConfigToml, ANameInEnvAndInSecretsIsAnError) {
  const auto error = error_of("[functions.f]\nenv = { KEY = \"x\" }\nsecrets = [\"KEY:file\"]\n");
  EXPECT_EQ(error.code, RegistryErrc::bad_config);
  EXPECT_THAT(error.message, HasSubstr("'KEY' is in env and in secrets"));
}

TEST(ConfigToml, WhatAFunctionCallsAndIsWrappedBy) {
  const auto spec = one(R"(
[functions.f]
calls = ["vault", "image-*"]
publishes = ["image.uploaded", "Audit.*"]
wrap = ["auth", "defaults"]
)");
  EXPECT_THAT(spec.config.calls, ElementsAre("vault", "image-*"));
  EXPECT_THAT(spec.config.publishes, ElementsAre("image.uploaded", "Audit.*"));
  EXPECT_THAT(spec.config.wrap, ElementsAre("auth", "defaults"));
  for (const std::string_view bad : {"calls = [\"Vault\"]", "calls = [\"a*b\"]", "calls = [\"\"]",
                                     "publishes = [\"a b\"]", "wrap = [\"auth@1\"]", "wrap = [\"x*\"]"}) {
    const auto error = error_of("[functions.f]\n" + std::string(bad) + "\n");
    EXPECT_EQ(error.code, RegistryErrc::bad_config) << bad;
  }
}

TEST(ConfigToml, WhatHasNoEffectYetGivesAWarning) {
  const auto spec = one(R"(
[functions.f]
class = "background"
network = "none"
datasets = ["access-log"]
)");
  EXPECT_THAT(spec.warnings, ElementsAre("class = \"background\" has no effect yet"));
  EXPECT_EQ(spec.config.invocation_class, InvocationClass::background);
  EXPECT_THAT(spec.config.datasets, ElementsAre("access-log"));
}

TEST(ConfigToml, BrokenTomlHasItsLine) {
  const auto error = error_of("[functions.f]\nhandler = \n");
  EXPECT_EQ(error.code, RegistryErrc::bad_config);
  EXPECT_EQ(error.detail("line"), "2");
  EXPECT_EQ(error_of("[functions.Bad]\n").code, RegistryErrc::bad_name);
  EXPECT_EQ(error_of("functions = 3\n").code, RegistryErrc::bad_config);
  EXPECT_EQ(error_of("[functions]\nf = 3\n").code, RegistryErrc::bad_config);
}

TEST(ChooseFunction, TakesTheNamedElseTheOnlyOne) {
  auto two = parse_toml("[functions.a]\nhandler=\"x\"\n[functions.b]\n", "mayfly.toml");
  ASSERT_TRUE(two);
  EXPECT_EQ(choose_function(*two, "b")->name, "b");
  const auto none = choose_function(*two, "c");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("a, b"));
  auto only = parse_toml("[functions.a]\nhandler=\"x\"\n", "mayfly.toml");
  EXPECT_EQ(choose_function(*only, "c")->config.handler, "x");
  EXPECT_EQ(choose_function({}, "c")->config.handler, "default");
}

TEST(Settings, FollowTheRulesOfTheFile) {
  FunctionSpec spec;
  for (const char* setting : {"timeout=5m", "concurrency=3", "eager=true", "env.A=x=y",
                              "env.B=", "routes=GET /a,POST /b", "memory=1GiB"}) {
    const auto set = set_text(spec, setting);
    EXPECT_TRUE(set) << set.error().message;
  }
  EXPECT_EQ(spec.config.timeout, 5min);
  EXPECT_EQ(spec.config.concurrency, 3);
  EXPECT_TRUE(spec.config.eager);
  EXPECT_EQ(spec.config.env, (std::map<std::string, std::string>{{"A", "x=y"}, {"B", ""}}));
  EXPECT_THAT(spec.config.routes, ElementsAre("GET /a", "POST /b"));
  ASSERT_TRUE(set_text(spec, "routes="));
  EXPECT_THAT(spec.config.routes, ElementsAre());
}

TEST(Settings, BadOnesSayWhatIsAllowed) {
  FunctionSpec spec;
  const auto message = [&](const char* setting) {
    auto set = set_text(spec, setting);
    EXPECT_FALSE(set) << setting;
    return set ? "" : set.error().message;
  };
  EXPECT_THAT(message("timeout"), HasSubstr("key=value"));
  EXPECT_THAT(message("=1"), HasSubstr("key=value"));
  EXPECT_THAT(message("timout=1s"), HasSubstr("did you mean 'timeout'?"));
  EXPECT_THAT(message("concurrency=many"), HasSubstr("1 to 1000"));
  EXPECT_THAT(message("concurrency=1001"), HasSubstr("1 to 1000"));
  EXPECT_THAT(message("eager=1"), HasSubstr("true or false"));
  EXPECT_THAT(message("env=A"), HasSubstr("env.NAME=value"));
  EXPECT_THAT(message("jwt=A"), HasSubstr("jwt.NAME=value"));
  EXPECT_THAT(message("jwtx.issuer=A"), HasSubstr("unknown key"));
  EXPECT_THAT(message("env.A B=1"), HasSubstr("'A B' is no name"));
}

TEST(ConfigJson, KeepsEveryKey) {
  FunctionSpec spec;
  for (const char* setting : {"handler=h",        "timeout=90m",
                              "timeout=7s",       "memory=17MiB",
                              "concurrency=3",    "isolation=request",
                              "min_instances=1",  "max_instances=5",
                              "queue=0",          "max_request=3MB",
                              "network=none",     "env.A=ü\"",
                              "secrets=A,B:file", "datasets=d",
                              "routes=/a",        "class=background",
                              "eager=true",       "access=jwt",
                              "jwt.jwks=/k",      "jwt.issuer=i",
                              "jwt.audience=a=b", "jwt.scopes=read,write:all",
                              "rate_limit=5/m",   "network_allow=10.1.2.0/24,192.168.0.5:5432"})
    (void)set_text(spec, setting);
  const auto json = config_to_json(spec.config);
  const auto back = config_from_json(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(config_to_json(*back), json);
  EXPECT_EQ(back->timeout, 7s);
  EXPECT_EQ(back->memory, 17U << 20U);
  EXPECT_EQ(back->concurrency, 3);
  EXPECT_EQ(back->env.at("A"), "ü\"");
  EXPECT_EQ(back->network, Network::none);
  ASSERT_EQ(back->network_allow.size(), 2U);
  EXPECT_EQ(back->network_allow[1].text(), "192.168.0.5:5432");
  ASSERT_EQ(back->secrets.size(), 2U);
  EXPECT_EQ(back->secrets[0].name, "A");
  EXPECT_FALSE(back->secrets[0].as_file);
  EXPECT_EQ(back->secrets[1].name, "B");
  EXPECT_TRUE(back->secrets[1].as_file);
  EXPECT_EQ(back->access, Access::jwt);
  EXPECT_EQ(back->jwt, (JwtConfig{"/k", "i", "a=b", {"read", "write:all"}}));
  EXPECT_EQ(back->rate_limit, (Rate{5, std::chrono::seconds(60), 5}));

  // Defaults survive too, and what is damaged is an error.
  EXPECT_EQ(config_to_json(*config_from_json(config_to_json({}))), config_to_json({}));
  EXPECT_FALSE(config_from_json("{"));
  EXPECT_FALSE(config_from_json("{\"timeout\": null}"));
  EXPECT_FALSE(config_from_json("{\"routes\": [1]}"));
}

TEST(ConfigToml, ReadsUpstreams) {
  const auto specs = parse_toml(R"(
[functions.gate]
[upstreams.old]
url = "https://old.example.com:8443/api"
wrap = ["gate"]
routes = ["GET /old/*"]
access = "key"
rate_limit = "10/s"
timeout = "5s"
max_request = "1MiB"
)",
                                "mayfly.toml");
  ASSERT_TRUE(specs) << specs.error().message;
  ASSERT_EQ(specs->size(), 2U);
  const auto& old = specs->back();
  EXPECT_EQ(old.name, "old");
  EXPECT_EQ(old.runtime, Runtime::upstream);
  EXPECT_EQ(old.config.upstream, "https://old.example.com:8443/api");
  EXPECT_THAT(old.config.wrap, ElementsAre("gate"));
  EXPECT_EQ(config_from_json(config_to_json(old.config))->upstream, old.config.upstream);
}

TEST(ConfigToml, WhatAnUpstreamCannotHaveIsRefused) {
  EXPECT_THAT(error_of("[upstreams.x]\nwrap = [\"a\"]\n").message, HasSubstr("needs a url"));
  EXPECT_THAT(error_of("[upstreams.x]\nurl = \"http://a\"\nmemory = \"1GiB\"\n").message,
              HasSubstr("'memory' is not a key of an upstream"));
  for (const auto* url : {"ftp://a/", "http://a/?b", "http://a/#b", "a", "http://me:word@a/"})
    EXPECT_THAT(error_of("[upstreams.x]\nurl = \"" + std::string(url) + "\"\n").message,
                HasSubstr("upstream"))
        << url;
  EXPECT_THAT(error_of("[functions.x]\n[upstreams.x]\nurl = \"http://a\"\n").message,
              HasSubstr("a function and an upstream"));
  EXPECT_THAT(error_of("[functions.x]\nruntime = \"upstream\"\n").message, HasSubstr("runtime"));
  EXPECT_THAT(error_of("[functions.x]\nupstream = \"http://a\"\n").message, HasSubstr("[upstreams.NAME]"));
  EXPECT_THAT(error_of("[upstrems.x]\n").message, HasSubstr("did you mean 'upstreams'"));
}

}  // namespace
}  // namespace mayfly::registry
