#include "daemon/event_verdict.h"

#include <gtest/gtest.h>

#include "pool/failure.h"
#include "registry/error.h"
#include "scheduler/scheduler.h"

namespace mayfly::daemon {
namespace {

using namespace std::chrono_literals;
using events::Form;
using Kind = events::Verdict::Kind;

events::Task task_of(Form form, std::size_t count = 1) {
  events::Task task{"q", "f", {}};
  for (std::size_t i = 0; i < count; ++i) {
    auto event = std::make_shared<events::Event>();
    event->form = form;
    task.items.push_back({event, {1, i + 1, 2, 3}, 1});
  }
  return task;
}
admin::InvokeAnswer answer(unsigned status, std::vector<std::pair<std::string, std::string>> headers = {},
                           std::string body = {}) {
  admin::InvokeAnswer result;
  result.status = status;
  for (auto& one : headers) result.headers.push_back(one);
  result.body = std::move(body);
  return result;
}
events::Verdict verdict(Form form, const Result<admin::InvokeAnswer>& result) {
  return verdicts_of(task_of(form), result, "f@1").at(0);
}

TEST(EventVerdict, ARequestsAnswerIsASuccessUnlessItSaysToComeAgain) {
  for (const unsigned status : {200U, 302U, 404U, 499U})
    EXPECT_EQ(verdict(Form::request, answer(status)).kind, Kind::succeeded) << status;
  for (const unsigned status : {429U, 500U, 503U})
    EXPECT_EQ(verdict(Form::request, answer(status)).kind, Kind::failed) << status;
}

TEST(EventVerdict, AnEventsAnswerIsASuccessBelow400) {
  EXPECT_EQ(verdict(Form::event, answer(204)).kind, Kind::succeeded);
  EXPECT_EQ(verdict(Form::event, answer(404)).kind, Kind::failed);
  EXPECT_EQ(verdict(Form::schedule, answer(400)).kind, Kind::failed);
}

TEST(EventVerdict, TheAnswerSaysWhenToTryAgainAndWhetherAtAll) {
  const auto later = verdict(Form::request, answer(503, {{"Retry-After", "7"}}));
  EXPECT_EQ(later.delay, 7s);
  EXPECT_EQ(later.version, "f@1");
  EXPECT_EQ(later.type, "status");
  EXPECT_EQ(verdict(Form::request, answer(503, {{"retry-after", "999999999"}})).delay, 24h);
  for (const char* bad : {"-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"})
    EXPECT_FALSE(verdict(Form::request, answer(503, {{"retry-after", bad}})).delay) << bad;
  EXPECT_EQ(verdict(Form::request, answer(500, {{"Mayfly-Retry", "never"}})).kind, Kind::hopeless);
}

TEST(EventVerdict, WhatNeverCameToAnInstanceIsNoAttempt) {
  const auto failure = [](auto code) -> Result<admin::InvokeAnswer> { return fail(code, "why"); };
  EXPECT_EQ(verdict(Form::event, failure(scheduler::SchedulerErrc::queue_full)).kind, Kind::not_tried);
  EXPECT_EQ(verdict(Form::event, failure(registry::RegistryErrc::unknown_function)).kind, Kind::not_tried);
  EXPECT_EQ(verdict(Form::event, failure(registry::RegistryErrc::unknown_version)).kind, Kind::hopeless);
  const auto threw = verdict(Form::event, failure(pool::PoolErrc::answer_broken));
  EXPECT_EQ(threw.kind, Kind::failed);
  EXPECT_EQ(threw.message, "why");
  EXPECT_FALSE(threw.type.empty());
}

TEST(EventVerdict, ALongAnswerIsNotKeptAndSaysSo) {
  const auto kept = verdict(Form::request, answer(200, {{"a", "b"}}, std::string(kMaxKeptAnswer + 1, 'x')));
  ASSERT_TRUE(kept.answer);
  EXPECT_TRUE(kept.answer->body.empty());
  EXPECT_TRUE(kept.answer->headers.contains("mayfly-not-kept"));
}

TEST(EventVerdict, SingleMessagesOfABatchAreTriedAgain) {
  const auto task = task_of(Form::event, 3);
  const auto id = events::to_text(task.items[1].id);
  const auto verdicts = verdicts_of(
      task, answer(200, {}, R"({"retry":[{"id":")" + id + R"(","delay_s":30},{"id":"no"},1,{}]})"), "f@1");
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(verdicts[0].kind, Kind::succeeded);
  EXPECT_EQ(verdicts[1].kind, Kind::failed);
  EXPECT_EQ(verdicts[1].delay, 30s);
  EXPECT_EQ(verdicts[2].kind, Kind::succeeded);
}

TEST(EventVerdict, OfWhatWasNotInTheRequestNothingIsSaid) {
  auto task = task_of(Form::event, 3);
  task.as_requests = true;
  for (const unsigned status : {200U, 500U}) {
    const auto verdicts = verdicts_of(task, answer(status), "f@1");
    ASSERT_EQ(verdicts.size(), 3U);
    EXPECT_EQ(verdicts[0].kind, status == 200 ? Kind::succeeded : Kind::failed);
    EXPECT_EQ(verdicts[1].kind, Kind::not_tried);
    EXPECT_EQ(verdicts[2].kind, Kind::not_tried);
  }
}

TEST(EventVerdict, AnyBodyOfABatchsAnswerIsTaken) {
  for (const std::string body : {"", "null", "[]", R"({"retry":1})", "\xff", R"({"retry":[{"id":1}]})"}) {
    const auto verdicts = verdicts_of(task_of(Form::event, 2), answer(200, {}, body), "f@1");
    EXPECT_EQ(verdicts.at(1).kind, Kind::succeeded) << body;
  }
  const std::string nested(1'000'000, '[');
  EXPECT_EQ(verdict(Form::event, answer(200, {}, nested + std::string(1'000'000, ']'))).kind,
            Kind::succeeded);
}

}  // namespace
}  // namespace mayfly::daemon
