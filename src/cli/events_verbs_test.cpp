// The verbs about events, with the engine and its store.
#include "cli/actions.h"
#include "cli/event_view.h"
#include "cli/later_answer.h"
#include "cli/verbs_test_support.h"

namespace mayfly::cli {
namespace {

using events::Verdict;
using nlohmann::json;

struct EventVerbs : Verbs {
  void SetUp() override {
    Verbs::SetUp();
    ASSERT_EQ(run({"deploy", path("hello.js")}).code, kOk);
    for (int i = 0; i < 1'000 && !run({"queue", "list", "--names"}).out.contains("hello"); ++i)
      std::this_thread::yield();
  }
  std::string accepted() {
    auto id = run({"invoke", "hello", "{}", "--async"}).out;
    EXPECT_EQ(id.size(), 33U) << id;
    id.pop_back();
    return id;
  }
  void fail_all() {
    daemon.deliverer.judge([](const auto&) {
      Verdict verdict;
      verdict.kind = Verdict::Kind::hopeless;
      verdict.type = "urn:mayfly:pool:handler-threw";
      verdict.message = "boom";
      return verdict;
    });
  }
};

const std::string kBinary("\xff\0\n", 3);

TEST_F(EventVerbs, AnAsyncInvocationPrintsItsIdOrItsAnswer) {
  daemon.deliverer.judge([](const auto&) {
    Verdict verdict;
    verdict.version = "hello@1";
    verdict.answer = events::Answer{200, {}, kBinary};
    return verdict;
  });
  const auto waited = run({"invoke", "hello", "--async", "--wait", "--idempotency-key", "k"});
  EXPECT_EQ(waited.code, kOk) << waited.err;
  EXPECT_EQ(waited.out, kBinary) << "byte for byte";
  EXPECT_HAS(waited.err, "200  succeeded");
  const auto id =
      json::parse(run({"invoke", "hello", "--async", "--idempotency-key", "k", "--json"}).out)["invocation"]
          .get<std::string>();
  const auto result = run({"invocation", "result", id, "--quiet"});
  EXPECT_EQ(result.out, kBinary);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(json::parse(run({"invocation", "result", id, "--json"}).out)["result"]["body_base64"], "/wAK");
  const auto shown = run({"invocation", "get", id}).out;
  EXPECT_HAS(shown, id + "  succeeded");
  EXPECT_HAS(shown, "hello@1  ok");
  EXPECT_HAS(shown, "mayfly logs hello --invocation " + id);
  EXPECT_HAS(run({"invocation", "list"}).out, id);
  EXPECT_EQ(daemon.deliverer.seen().size(), 1U) << "the key was not honoured";
}

TEST_F(EventVerbs, AnAnswerThatDoesNotComeInTimeIsSaid) {
  daemon.deliverer.hold();
  const auto late = run({"invoke", "hello", "--async", "--timeout", "1ms"});
  EXPECT_EQ(late.code, kFailed);
  EXPECT_EQ(late.out, "");
  EXPECT_HAS(late.err, "has not ended within 1ms");
  const auto id = accepted();
  EXPECT_EQ(run({"invocation", "result", id}).code, kFailed);
  EXPECT_EQ(run({"invocation", "cancel", id}).out, id + "  succeeded\n")
      << "it was told, and succeeded all the same";
  daemon.deliverer.let_go();
}

TEST_F(EventVerbs, AnInvocationThatDiesSaysWhy) {
  fail_all();
  const auto ran = run({"invoke", "hello", "--async", "--wait"});
  EXPECT_EQ(ran.code, kFailed);
  EXPECT_EQ(ran.out, "");
  EXPECT_HAS(ran.err, "dead");
  EXPECT_HAS(ran.err, "pool:handler-threw: boom");
}

TEST_F(EventVerbs, DeadLettersAreListedShownRedrivenAndForgotten) {
  EXPECT_EQ(run({"dlq", "list"}).out, "no dead letters\n");
  fail_all();
  run({"invoke", "hello", kBinary, "--async", "--wait"});  // up to the zero byte
  const auto queues = run({"dlq", "list"}).out;
  EXPECT_HAS(queues, "hello  hello     1");
  const auto letters = run({"dlq", "list", "hello"}).out;
  EXPECT_HAS(letters, "pool:handler-threw: boom");
  const auto id = json::parse(run({"dlq", "list", "hello", "--json"}).out)["deliveries"][0]["invocation"]
                      .get<std::string>();
  const auto shown = run({"dlq", "show", id}).out;
  EXPECT_HAS(shown, "OUTCOME");
  EXPECT_HAS(shown, "that is no text: --body prints it");
  EXPECT_EQ(run({"dlq", "show", id, "--body"}).out, "\xff");
  EXPECT_EQ(json::parse(run({"dlq", "show", id, "--json"}).out)["event"]["body_base64"], "/w==");
  EXPECT_EQ(run({"dlq", "purge", "hello"}).code, kUsage) << "nobody confirmed it";
  daemon.deliverer.judge([](const auto&) { return Verdict{}; });
  EXPECT_EQ(run({"dlq", "redrive", "hello"}).out, "1 is attempted again\n");
  EXPECT_EQ(run({"dlq", "purge", "hello", "--yes"}).out, "0 are forgotten\n");
  EXPECT_EQ(run({"invocation", "result", id, "--wait"}).code, kFailed) << "it has no answer";
}

TEST_F(EventVerbs, QueuesArePausedAndResumed) {
  accepted();
  EXPECT_HAS(run({"queue", "pause", "hello"}).out, "hello is paused");
  EXPECT_HAS(run({"queue", "list"}).out, "hello  paused");
  EXPECT_EQ(run({"queue", "list", "--names"}).out, "hello\n");
  EXPECT_HAS(run({"queue", "resume", "hello"}).out, "hello goes on");
  EXPECT_EQ(json::parse(run({"queue", "list", "hello", "--json"}).out)["queues"][0]["paused"], false);
  const auto wrong = run({"queue", "pause", "helo"});
  EXPECT_EQ(wrong.code, kFailed);
  EXPECT_HAS(wrong.err, "did you mean 'function:hello'?");
}

TEST_F(EventVerbs, QueuesThatNothingHasGoneThroughAreNotShown) {
  const auto quiet = run({"queue", "list"});
  EXPECT_EQ(quiet.out, "");
  EXPECT_HAS(quiet.err, "1 functions' own queues with nothing in them: --all");
  EXPECT_HAS(run({"queue", "list", "--all"}).out, "hello  active");
  EXPECT_HAS(run({"queue", "list", "hello"}).out, "hello  active");
  EXPECT_EQ(json::parse(run({"queue", "list", "--json"}).out)["queues"].size(), 1U);
  run({"invoke", "hello", "--async", "--wait"});
  EXPECT_HAS(run({"queue", "list"}).out, "hello  active");
}

TEST_F(EventVerbs, AQueueWhoseFunctionIsGoneCanBeDeleted) {
  EXPECT_HAS(run({"queue", "delete", "hello", "--yes"}).err, "the function 'hello' is there");
  run({"delete", "hello", "--yes"});
  const auto listed = run({"queue", "list"});
  EXPECT_HAS(listed.out, "hello  no function");
  EXPECT_HAS(listed.err, "mayfly queue delete");
  EXPECT_EQ(run({"queue", "delete", "hello"}).code, kUsage) << "nobody confirmed it";
  EXPECT_EQ(run({"queue", "delete", "hello", "--yes"}).out, "hello is forgotten\n");
  EXPECT_EQ(json::parse(run({"queue", "list", "--json"}).out)["queues"].size(), 0U);
}

TEST_F(EventVerbs, AListThatIsNotTheWholeSaysHowToGoOn) {
  for (int i = 0; i < 3; ++i) run({"invoke", "hello", "--async", "--wait"});
  const auto first = run({"invocation", "list", "hello", "--limit", "2"});
  const auto at = first.err.find("mayfly invocation list hello --before ");
  ASSERT_NE(at, std::string::npos) << first.err;
  EXPECT_HAS(first.err, "the newest 2; there are more");
  const auto rest =
      run({"invocation", "list", "hello", "--limit", "2", "--before", first.err.substr(at + 38, 32)});
  EXPECT_EQ(rest.code, kOk) << rest.err;
  EXPECT_EQ(rest.err, "");
  EXPECT_EQ(std::ranges::count(rest.out, '\n'), 2) << "the header and the last one\n" << rest.out;
  fail_all();
  for (int i = 0; i < 2; ++i) run({"invoke", "hello", "--async", "--wait"});
  EXPECT_HAS(run({"dlq", "list", "hello", "--limit", "1"}).err, "mayfly dlq list hello --before ");
  EXPECT_EQ(run({"dlq", "list", "hello", "--limit", "2"}).err, "");
}

TEST_F(EventVerbs, AnEventOfSeveralSubscriptionsShowsItsDeliveries) {
  for (const char* name : {"mail", "audit"}) {
    events::FunctionEvents its;
    its.subscriptions.push_back({"orders", {}, {}});
    daemon.events().set_function(name, its);
  }
  for (int i = 0; i < 1'000 && !run({"queue", "list", "--names"}).out.contains("orders/mail"); ++i)
    std::this_thread::yield();
  const auto id = run({"topic", "publish", "orders", "{}"}).out.substr(0, 32);
  for (int i = 0; i < 1'000 && !run({"invocation", "get", id}).out.contains("succeeded\n"); ++i)
    std::this_thread::yield();
  for (const char* action : {"get", "list"}) {
    const auto shown = run({"invocation", action, id});
    EXPECT_EQ(shown.code, kOk) << shown.err;
    EXPECT_HAS(shown.out, id + "  succeeded\n");
    EXPECT_HAS(shown.out, "orders/mail");
    EXPECT_HAS(shown.out, "orders/audit");
  }
  const auto whole = json::parse(run({"invocation", "get", id, "--json"}).out);
  EXPECT_EQ(whole["topic"], "orders");
  ASSERT_EQ(whole["deliveries"].size(), 2U);
  EXPECT_EQ(whole["deliveries"][0]["status"], "succeeded");
  EXPECT_HAS(run({"invocation", "retry", id}).err, "2 subscriptions");
  EXPECT_EQ(run({"dlq", "show", id, "--body"}).out, "{}");
}

TEST_F(EventVerbs, NothingIsDead) {
  run({"invoke", "hello", "--async", "--wait"});  // its queue is there then
  const auto ran = run({"dlq", "redrive", "hello"});
  EXPECT_HAS(ran.out + ran.err, "nothing is dead in hello");
}

TEST_F(EventVerbs, TopicsAndSchedules) {
  EXPECT_HAS(run({"topic", "list"}).out, "no topics");
  EXPECT_EQ(run({"topic", "create", "orders"}).out, "orders is made\n");
  EXPECT_EQ(run({"topic", "create", "orders"}).out, "orders was there already\n");
  EXPECT_EQ(run({"topic", "list", "--names"}).out, "orders\n");
  EXPECT_HAS(run({"topic", "list"}).out, "orders  -");
  EXPECT_EQ(run({"topic", "create", "a b"}).code, kFailed);
  EXPECT_HAS(run({"schedule", "list"}).out, "no schedules");
  EXPECT_HAS(run({"schedule", "run", "hello"}).err, "no schedule 'hello'");
}

TEST_F(EventVerbs, APublishedEventHasTheAttributesThatWereGiven) {
  events::FunctionEvents mail;
  mail.subscriptions.push_back({"orders", {}, {}});
  daemon.events().set_function("mail", mail);
  for (int i = 0; i < 1'000 && !run({"queue", "list", "--names"}).out.contains("orders/mail"); ++i)
    std::this_thread::yield();
  std::ofstream(files.path() / "body") << kBinary;
  const auto ran = run({"topic", "publish", "orders", "@" + (files.path() / "body").string(), "--type", "a.b",
                        "--subject", "50% \"grün\"", "--attr", "region=eu", "--partition", "p"});
  ASSERT_EQ(ran.code, kOk) << ran.err;
  ASSERT_EQ(ran.out.size(), 33U) << ran.out;
  const auto id = ran.out.substr(0, 32);
  EXPECT_EQ(run({"dlq", "show", id, "--body"}).out, kBinary);
  const auto event = json::parse(run({"invocation", "get", id, "--json"}).out)["event"];
  EXPECT_EQ(event["partition"], "p");
  std::map<std::string, std::string> fields;
  for (const auto& field : event["fields"]) fields[field[0]] = field[1];
  EXPECT_EQ(fields["type"], "a.b");
  EXPECT_EQ(fields["subject"], "50% \"grün\"");
  EXPECT_EQ(fields["region"], "eu");
  EXPECT_EQ(fields["source"], "/topics/orders");
  EXPECT_EQ(fields["datacontenttype"], "application/octet-stream");
  EXPECT_HAS(run({"topic", "list"}).out, "orders  mail        orders/mail");
  EXPECT_HAS(run({"topic", "publish", "oders", "x"}).err, "did you mean 'orders'?");
  EXPECT_HAS(
      run({"topic", "publish", "orders", "-b", "{}", "--content-type", "application/cloudevents+json"}).err,
      "specversion");
}

TEST_F(EventVerbs, WhatMakesNoSenseIsSaidBeforeAnybodyIsAsked) {
  for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"queue", "puase", "hello"}, "did you mean 'pause'?"},
           {{"queue", "pause"}, "mayfly queue pause QUEUE"},
           {{"queue", "pause", "a", "b"}, "and not 'b'"},
           {{"topic", "list", "a"}, "takes nothing, and not 'a'"},
           {{"invocation", "get"}, "mayfly invocation get ID"},
           {{"invocation", "result", "x", "--timeout", "soon"}, "--timeout soon"},
           {{"dlq", "show"}, "mayfly dlq show ID"},
           {{"schedule", "stop", "x"}, "list, run, pause, resume"},
           {{"topic", "publish", "t", "a", "-b", "b"}, "given twice"},
           {{"topic", "publish", "t", "a", "--attr", "Big=1"}, "--attr Big=1"},
           {{"invoke", "hello", "--wait"}, "--wait is for --async"},
           {{"invoke", "hello", "--idempotency-key", "k"}, "--idempotency-key is for --async"}}) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, kUsage) << words[1];
    EXPECT_HAS(ran.err, said);
  }
}

TEST(ShortQueue, CanBeTypedInAShell) {
  EXPECT_EQ(short_queue("function:hello"), "hello");
  EXPECT_EQ(short_queue("orders>mail"), "orders/mail");
  EXPECT_EQ(short_queue("schedule:a:@daily UTC"), "schedule:a:@daily UTC");
}

TEST(PutBody, KeepsEveryByte) {
  json text;
  put_body(text, "grün");
  EXPECT_EQ(text["body"], "grün");
  json bytes;
  put_body(bytes, std::string("\0\x01", 2));
  EXPECT_EQ(bytes["body_base64"], "AAE=");
}

}  // namespace
}  // namespace mayfly::cli
