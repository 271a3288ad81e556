#include "base/temp_folder.h"
#include "pool/pool_test_support.h"

namespace mayfly::pool {
namespace {

TEST_F(PoolTest, OneTemplateIsBuiltForAllWhoWaitForIt) {
  runtime.loads = false;
  version->config.env = {{"A", "b"}};
  make();
  int told = 0;
  for (int i = 0; i < 3; ++i) pool->prepare([&](const Result<void>& result) { told += result ? 1 : 0; });
  loop.settle();
  EXPECT_EQ(runtime.templates, 1);
  EXPECT_EQ(pool->template_state(), Pool::Template::building);
  EXPECT_GT(pool->template_pid(), 0);
  runtime.template_says(wire::ControlType::ready, "{}");
  ASSERT_TRUE(loop.until([&] { return told == 3; }));
  EXPECT_TRUE(prepare());
  EXPECT_EQ(runtime.templates, 1);
  EXPECT_EQ(stats->templates.get(), 1U);
  const auto payload = nlohmann::json::parse(runtime.payloads.at(0));
  EXPECT_EQ(payload["entry"], "f.js");
  EXPECT_EQ(payload["root"], "/nowhere");
  EXPECT_EQ(payload["env"]["A"], "b");
}

TEST_F(PoolTest, SecretsGoIntoTheEnvironmentOrIntoFiles) {
  const TempFolder folder;
  secrets = secrets::Secrets::open({.data = folder.path()}).value();
  const std::string awkward = "\"quotes\" \\ \n\x01 \xc3\xa4 \xf0\x9f\x91\x8d";
  ASSERT_TRUE(secrets->set("VARIABLE", awkward));
  ASSERT_TRUE(secrets->set("FILE_1", std::string("\0one", 4)));
  ASSERT_TRUE(secrets->set("FILE_2", "two"));
  version->config.env = {{"A", "b"}};
  version->config.secrets = {{"FILE_1", true}, {"VARIABLE", false}, {"FILE_2", true}};
  make();
  ASSERT_TRUE(prepare());
  const auto env = nlohmann::json::parse(runtime.payloads.at(0))["env"];
  EXPECT_EQ(env["A"], "b");
  EXPECT_EQ(env["VARIABLE"], awkward);
  EXPECT_EQ(env["FILE_1"], "/proc/self/fd/100");
  EXPECT_EQ(env["FILE_2"], "/proc/self/fd/101");
  EXPECT_EQ(runtime.files, (std::vector{std::string("\0one", 4), std::string("two")}));
  start(1);
  EXPECT_EQ(runtime.payloads.back(), R"({"role":"instance"})") << "it has them already";
}

TEST_F(PoolTest, ASecretThatCannotBeHadIsAnErrorOfTheTemplate) {
  const auto message = [&] {
    make();
    const auto result = prepare();
    return result ? "" : result.error().message;
  };
  version->config.secrets = {{"KEY", false}};
  EXPECT_THAT(message(), HasSubstr("there is no secret 'KEY'")) << "there are none at all";
  const TempFolder folder;
  secrets = secrets::Secrets::open({.data = folder.path()}).value();
  EXPECT_THAT(message(), HasSubstr("there is no secret 'KEY'"));
  ASSERT_TRUE(secrets->set("KEY", "\xff"));
  EXPECT_THAT(message(), HasSubstr("list it as \"KEY:file\""));
  ASSERT_TRUE(secrets->set("KEY", "text"));
  EXPECT_EQ(message(), "");
}

TEST_F(PoolTest, LeasesTheInstanceUsedLastAsDeepAsIsComfortable) {
  ASSERT_TRUE(prepare());
  start(2);
  TestInvocation a("a"), b("b"), c("c"), d("d");
  Instance* const first = run(a);
  Instance* const second = run(b);
  EXPECT_NE(first, second);
  EXPECT_EQ(run(c), nullptr) << "both have one";
  EXPECT_EQ(pool->in_flight(), 2);
  auto& bridge = second->pid() == runtime.instances[0]->pid() ? *runtime.instances[0] : *runtime.instances[1];
  answer(bridge);
  ASSERT_TRUE(loop.until([&] { return b.ended > 0; }));
  EXPECT_EQ(pool->in_flight(), 1);
  EXPECT_EQ(run(c), second);
  EXPECT_NE(run(d, 2), nullptr);
  EXPECT_EQ(pool->in_flight(), 3);
  EXPECT_EQ(stats->running.get(), 3U);
}

TEST_F(PoolTest, WhenAnyWillDoItIsTheLeastBusy) {
  version->config.concurrency = 3;
  make();
  ASSERT_TRUE(prepare());
  start(2);
  std::deque<TestInvocation> tests;
  std::map<Instance*, int> load;
  for (int i = 0; i < 6; ++i) ++load[run(tests.emplace_back(std::to_string(i)), 1, true)];
  EXPECT_EQ(load.size(), 2U);
  for (const auto& [instance, count] : load) EXPECT_EQ(count, 3);
  EXPECT_EQ(run(tests.emplace_back("more"), 1, true), nullptr) << "concurrency is the limit even so";
}

TEST_F(PoolTest, TheTemplateSaysHowMuchAnInstanceTakesUnlessTheConfigurationDoes) {
  runtime.report = R"({"concurrency":1,"warnings":["w"]})";
  ASSERT_TRUE(prepare());
  EXPECT_EQ(pool->concurrency(), 1);
  EXPECT_EQ(pool->warnings(), std::vector<std::string>{"w"});
  version->config.concurrency = 7;
  make();
  ASSERT_TRUE(prepare());
  EXPECT_EQ(pool->concurrency(), 7);
}

TEST_F(PoolTest, WithIsolationOfRequestsAnInstanceServesOneAndIsReplacedAhead) {
  version->config.isolation = registry::Isolation::request;
  version->config.concurrency = 10;
  make();
  ASSERT_TRUE(prepare());
  EXPECT_EQ(pool->concurrency(), 1);
  int room = 100;
  listener.prewarm = [&] { return room-- > 0 && pool->start_instance(); };
  start(1);
  const auto used = runtime.instances.front();
  TestInvocation test;
  Instance* const instance = run(test);
  ASSERT_NE(instance, nullptr);
  ASSERT_TRUE(loop.until([&] { return used->got.size() == 2; }));
  EXPECT_EQ(used->got.at(1).type, wire::FrameType::stop) << "it is told at once that nothing follows";
  used->respond(used->got.front().stream, 200, {}, "ok");
  ASSERT_TRUE(loop.until([&] { return test.ended == 1; }));
  EXPECT_EQ(test.body, "ok");
  EXPECT_EQ(listener.instances, 1) << "it counts no more";
  ASSERT_TRUE(loop.until([&] { return pool->instances() == 2 && pool->starting() == 0; }));
  EXPECT_NE(run(test), nullptr);
  loop.settle();
  EXPECT_TRUE(used->got.size() == 2) << "who has served one gets no other";
  used->die(0);
  loop.settle();
  EXPECT_EQ(listener.instances, 1) << "its end is no news";
  EXPECT_TRUE(logs.failures.empty());
}

TEST_F(PoolTest, AnInstanceThatDoesNotLeaveAfterItsOnlyInvocationIsKilled) {
  version->config.isolation = registry::Isolation::request;
  make();
  ASSERT_TRUE(prepare());
  start(1);
  TestInvocation test;
  ASSERT_NE(run(test), nullptr);
  const auto used = runtime.instances.front();
  ASSERT_TRUE(loop.until([&] { return !used->got.empty(); }));
  used->respond(used->got.front().stream, 200, {}, "ok");
  ASSERT_TRUE(loop.until([&] { return test.ended == 1; }));
  EXPECT_EQ(pool->instances(), 0);
  EXPECT_FALSE(used->dead);
  loop.skip(5s);
  EXPECT_TRUE(loop.until([&] { return used->dead; }));
}

TEST_F(PoolTest, CodeThatCannotBeForkedIsLoadedByEachInstance) {
  runtime.report = R"({"unsafe":["init left a thread"]})";
  ASSERT_TRUE(prepare());
  EXPECT_EQ(pool->template_state(), Pool::Template::direct);
  EXPECT_TRUE(pool->ready());
  start(1);
  const auto payload = nlohmann::json::parse(runtime.payloads.back());
  EXPECT_EQ(payload["role"], "direct");
  EXPECT_EQ(payload["entry"], "f.js");
  TestInvocation test;
  ASSERT_NE(run(test), nullptr);
  runtime.last().die(W_EXITCODE(1, 0));
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.error->code, PoolErrc::instance_exited);
}

TEST_F(PoolTest, EndsTheInstanceThatWasIdleLongest) {
  ASSERT_TRUE(prepare());
  start(3);
  TestInvocation busy("busy"), recent("recent");
  Instance* const recently_used = run(recent);
  Instance* const at_work = run(busy);
  for (const auto& bridge : runtime.instances)
    if (bridge->pid() == recently_used->pid()) answer(*bridge);
  ASSERT_TRUE(loop.until([&] { return recent.ended > 0; }));
  EXPECT_EQ(pool->idle(), 2);
  const int recent_pid = recently_used->pid();
  const int busy_pid = at_work->pid();
  EXPECT_TRUE(pool->end_idle());
  EXPECT_EQ(pool->instances(), 2) << "nobody counts on it any more, though its process still ends";
  EXPECT_THAT(pool->pids(), testing::Contains(recent_pid));
  EXPECT_TRUE(pool->end_idle());
  EXPECT_EQ(pool->pids(), std::vector<int>{busy_pid});
  EXPECT_FALSE(pool->end_idle()) << "one that works is not idle";
  EXPECT_EQ(listener.instances, 2);
  ASSERT_TRUE(loop.until([&] { return runtime.alive() == 1; }));
  loop.settle();
  EXPECT_EQ(listener.instances, 2) << "told once each";
  EXPECT_EQ(stats->instances.get(), 1U);
}

TEST_F(PoolTest, AForkThatFindsNoRoomForAProcessIsMadeAgain) {
  ASSERT_TRUE(prepare());
  runtime.fork_errno = EAGAIN;
  ASSERT_TRUE(pool->start_instance());
  ASSERT_TRUE(loop.until([&] { return runtime.failed_forks >= 4; }));
  EXPECT_EQ(pool->starting(), 1);
  EXPECT_EQ(listener.instances, 0) << "it is still waited for";
  runtime.fork_errno = 0;
  ASSERT_TRUE(loop.until([&] { return pool->instances() - pool->starting() == 1; }));
  EXPECT_TRUE(listener.unavailable.empty());
}

TEST_F(PoolTest, AForkThatNeverFindsRoomFails) {
  ASSERT_TRUE(prepare());
  runtime.fork_errno = EAGAIN;
  ASSERT_TRUE(pool->start_instance());
  ASSERT_TRUE(loop.until([&] {
    loop.skip(50ms);
    return listener.instances == 1;
  }));
  EXPECT_EQ(pool->instances(), 0);
  EXPECT_GT(runtime.failed_forks, 10);
}

TEST_F(PoolTest, AnInstanceThatIsEndedWhileItsForkWaitsIsForkedNoMore) {
  ASSERT_TRUE(prepare());
  runtime.fork_errno = EAGAIN;
  ASSERT_TRUE(pool->start_instance());
  ASSERT_TRUE(loop.until([&] { return runtime.failed_forks == 1; }));
  pool->end_all(KillCause::shutdown);
  runtime.fork_errno = 0;
  ASSERT_TRUE(loop.until([&] { return listener.instances == 1; }));
  EXPECT_EQ(pool->instances(), 0);
  EXPECT_EQ(runtime.alive(), 0);
}

TEST_F(PoolTest, InstancesThatNeverComeUpStopTheWaiting) {
  ASSERT_TRUE(prepare());
  runtime.fork_errno = ENOMEM;
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(listener.unavailable.empty());
    ASSERT_TRUE(pool->start_instance());
    ASSERT_TRUE(loop.until([&] { return listener.instances == i; }));
  }
  ASSERT_EQ(listener.unavailable.size(), 1U);
  EXPECT_EQ(listener.unavailable[0].code, PoolErrc::fork_failed);
  EXPECT_EQ(pool->instances(), 0);
  EXPECT_EQ(pool->starting(), 0);
}

TEST_F(PoolTest, OneThatComesUpForgivesTheFailuresBefore) {
  ASSERT_TRUE(prepare());
  for (int i = 0; i < 2; ++i) {
    runtime.fork_errno = ENOMEM;
    ASSERT_TRUE(pool->start_instance());
    ASSERT_TRUE(pool->start_instance());
    ASSERT_TRUE(loop.until([&] { return pool->starting() == 0; }));
    runtime.fork_errno = 0;
    start(1);
  }
  EXPECT_TRUE(listener.unavailable.empty());
}

TEST_F(PoolTest, CountsWhatIsInFlightWhenAnInstanceDiesWithSome) {
  ASSERT_TRUE(prepare());
  start(2);
  TestInvocation a("a"), b("b"), c("c");
  run(a);
  run(b);
  run(c, 2);
  loop.settle();
  EXPECT_EQ(pool->in_flight(), 3);
  runtime.instances[0]->die(W_EXITCODE(1, 0));
  ASSERT_TRUE(loop.until([&] { return listener.instances == 1; }));
  EXPECT_EQ(pool->in_flight(), 3 - a.ended - b.ended - c.ended);
  EXPECT_EQ(pool->instances(), 1);
  EXPECT_EQ(stats->failed.get(), static_cast<std::uint64_t>(a.ended + b.ended + c.ended));
  EXPECT_EQ(logs.failures.size(), stats->failed.get());
}

TEST_F(PoolTest, ATemplateThatDiesTakesItsInstancesAndIsBuiltAgainWhenAsked) {
  ASSERT_TRUE(prepare());
  start(2);
  TestInvocation test;
  run(test);
  loop.settle();
  runtime.kill_template();
  ASSERT_TRUE(loop.until([&] { return listener.templates == 1 && pool->instances() == 0; }));
  EXPECT_EQ(test.error->code, PoolErrc::instance_killed);
  EXPECT_EQ(pool->template_state(), Pool::Template::none);
  EXPECT_EQ(pool->in_flight(), 0);
  ASSERT_TRUE(prepare());
  start(1);
  EXPECT_EQ(runtime.templates, 2);
}

TEST_F(PoolTest, LetsAnIdleTemplateGoWithItsInstances) {
  ASSERT_TRUE(prepare());
  start(2);
  TestInvocation test;
  run(test);
  pool->end_template();
  EXPECT_EQ(pool->instances(), 1) << "the busy one stays, and the template with it";
  EXPECT_TRUE(pool->ready());
  loop.settle();
  answer(runtime.instances[0]->got.empty() ? *runtime.instances[1] : *runtime.instances[0]);
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  pool->end_template();
  EXPECT_EQ(pool->instances(), 0);
  EXPECT_EQ(pool->template_state(), Pool::Template::none);
  ASSERT_TRUE(loop.until([&] { return runtime.alive() == 0; }));
  ASSERT_TRUE(prepare());
}

TEST_F(PoolTest, ThePriceOfAForkIsMeasured) {
  ASSERT_TRUE(prepare());
  EXPECT_GT(pool->fork_price(), 0ns);
  EXPECT_EQ(pool->cost(), 0ns) << "nothing is known of it yet";
  start(1);
  runtime.last().usage(80us, 0us, 1);
  ASSERT_TRUE(loop.until([&] { return pool->cost() > 0ns; }));
  EXPECT_EQ(pool->cost(), 80us);
  runtime.last().usage(160us, 800us, 2);
  ASSERT_TRUE(loop.until([&] { return pool->cost() != 80us; }));
  EXPECT_EQ(pool->cost(), (80us * 7 + 800us) / 8) << "one slow invocation does not turn everything over";
}

TEST_F(PoolTest, ATemplateThatIsReadyBeforeItsProcessIsKnownForksWhenItIs) {
  runtime.tells = false;
  bool told = false;
  pool->prepare([&](const Result<void>& result) { told = result.has_value(); });
  loop.settle();
  EXPECT_EQ(pool->template_state(), Pool::Template::building)
      << "its children would be taken for a stranger's";
  runtime.tell();
  EXPECT_TRUE(told);
  start(1);
  EXPECT_THAT(listener.unavailable, testing::IsEmpty());
}

TEST_F(PoolTest, WhoWaitsForItsTemplateHearsThatItGoes) {
  runtime.loads = false;
  make();
  int heard = 0;
  pool->prepare([&](const Result<void>& result) { heard += result ? 100 : 1; });
  loop.settle();
  pool.reset();
  EXPECT_EQ(heard, 1);
  EXPECT_TRUE(loop.until([&] { return !runtime.template_alive(); })) << "it may be computing for ever";
}

TEST_F(PoolTest, ItMayGoWhileEverythingIsUnderWay) {
  ASSERT_TRUE(prepare());
  start(1);
  TestInvocation test;
  run(test);
  runtime.serves = false;
  ASSERT_TRUE(pool->start_instance());
  pool.reset();  // nobody may be called after this: the sanitizers watch
  EXPECT_EQ(test.ended, 0);
  ASSERT_TRUE(loop.until([&] { return runtime.instances[0]->dead; }));
  loop.settle();
  EXPECT_EQ(listener.instances, 0);
}

}  // namespace
}  // namespace mayfly::pool
