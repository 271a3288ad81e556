#include "pool/calls.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "pool/failure.h"

namespace mayfly::pool {
namespace {

using wire::FrameType;

/// What is called: it keeps invocations, and the test answers them.
struct Callee_ final : Service, Runner {
  void submit(Invocation& invocation) override {
    taken.push_back(&invocation);
    invocation.state = runs ? Invocation::State::running : Invocation::State::waiting;
    invocation.runner = runs ? this : nullptr;
  }
  void cancel(Invocation& invocation) override {
    ++cancelled;
    invocation.state = Invocation::State::idle;
  }
  void send_body(Invocation&, std::string_view bytes, bool end) override {
    body += bytes;
    ended = end;
  }
  void credit(Invocation&, std::size_t bytes) override { credited += bytes; }
  void abandon(Invocation& invocation, wire::AbortReason) override { cancel(invocation); }
  std::vector<Invocation*> taken;
  bool runs = true;
  int cancelled = 0;
  std::string body;
  bool ended = false;
  std::size_t credited = 0;
};

struct Output final : CallOutput {
  std::string& frames() override { return bytes; }
  void written() override {}
  std::string bytes;
};

struct Sent {
  FrameType type;
  std::uint8_t flags;
  std::uint32_t stream;
  std::uint32_t aux;
  std::string payload;
};

class CallsTest : public testing::Test, public CallHost {
 protected:
  CallsTest() {
    version.function = "front";
    version.number = 2;
    version.config.timeout = milliseconds(3'000);
    caller.version = &version;
    caller.deadline = std::chrono::steady_clock::now() + milliseconds(3'000);
  }
  Result<Callee> callee(const wire::CallHead&, const Caller&) override {
    if (refuse) return fail(CallErrc::not_allowed, "no");
    return Callee{.service = &service, .timeout = timeout, .max_request = max_request};
  }
  void new_invocation_id(std::array<char, 32>& id) override { id.fill('a'); }

  std::string_view open(std::uint32_t number, std::string_view body = {}, bool last = true,
                        bool has_caller = true) {
    const wire::CallHead head{wire::CallKind::invoke, 1024, "back", "POST", "/p", {}};
    const auto flags = static_cast<std::uint8_t>(last ? wire::kEnd : 0);
    return calls.open({FrameType::call, flags, number, 1, {}}, head, body, has_caller ? &caller : nullptr);
  }
  std::string_view send(FrameType type, std::uint32_t number, std::uint32_t aux = 0,
                        std::string_view payload = {}, std::uint8_t flags = 0) {
    return calls.handle({type, flags, number, aux, payload});
  }
  std::vector<Sent> sent() {
    wire::FrameDecoder decoder;
    std::vector<Sent> all;
    std::string_view rest = output.bytes;
    while (!rest.empty()) {
      const auto [room, size] = decoder.prepare();
      const auto count = std::min(size, rest.size());
      std::memcpy(room, rest.data(), count);
      decoder.commit(count);
      rest.remove_prefix(count);
      while (auto frame = *decoder.next())
        all.push_back({frame->type, frame->flags, frame->stream, frame->aux, std::string(frame->payload)});
    }
    output.bytes.clear();
    return all;
  }
  std::string type_of_error() {
    const auto frames = sent();
    if (frames.size() != 1 || frames[0].type != FrameType::call_error) return "no error";
    return std::string(wire::parse_call_error(frames[0].payload)->type);
  }

  registry::Version version;
  Caller caller;
  Callee_ service;
  milliseconds timeout{10'000};
  std::uint64_t max_request = 1U << 20U;
  bool refuse = false;
  Output output;
  Calls calls{*this, output};
};

TEST_F(CallsTest, AnAnswerGoesBackInPartsAndFreesTheNumberAtItsEnd) {
  EXPECT_EQ(open(1024, "hi"), "");
  ASSERT_EQ(service.taken.size(), 1U);
  Invocation& invocation = *service.taken[0];
  EXPECT_EQ(invocation.method, "POST");
  EXPECT_EQ(invocation.target, "/p");
  EXPECT_EQ(invocation.body, "hi");
  EXPECT_EQ(invocation.depth, 1);
  EXPECT_EQ(invocation.deadline, caller.deadline);  // which is earlier than its own
  EXPECT_EQ(invocation.deadline_owner.function, "front@2");
  EXPECT_EQ(invocation.deadline_owner.limit, milliseconds(3'000));
  invocation.listener->on_response(invocation, 201, std::string_view("a\0b\0", 4), "one", false);
  EXPECT_EQ(send(FrameType::call_credit, 1024, 3), "");
  EXPECT_EQ(service.credited, 3U);
  invocation.state = Invocation::State::idle;
  invocation.listener->on_body(invocation, "two", true);
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].type, FrameType::call_response);
  EXPECT_EQ(frames[0].aux, 201U);
  EXPECT_EQ(frames[1].type, FrameType::call_body);
  EXPECT_EQ(frames[1].flags, wire::kEnd);
  EXPECT_EQ(calls.open_calls(), 0U);
  EXPECT_EQ(open(2048), "");  // the same slot
}

TEST_F(CallsTest, ItsOwnTimeoutCountsWhenThatIsShorter) {
  timeout = milliseconds(100);
  EXPECT_EQ(open(1024), "");
  EXPECT_LT(service.taken[0]->deadline, caller.deadline);
  EXPECT_EQ(service.taken[0]->deadline_owner.function, "");
}

TEST_F(CallsTest, ABodyGoesOnAsFarAsItsCreditAndNoFurther) {
  EXPECT_EQ(open(1024, std::string(wire::kWindow - 10, 'x'), false), "");
  Invocation& invocation = *service.taken[0];
  EXPECT_EQ(send(FrameType::call_body, 1024, 0, "0123456789"), "");
  EXPECT_EQ(service.body, "0123456789");
  invocation.listener->on_request_credit(invocation, 5);
  EXPECT_EQ(send(FrameType::call_body, 1024, 0, "abcde", wire::kEnd), "");
  EXPECT_TRUE(service.ended);
  EXPECT_NE(send(FrameType::call_body, 1024, 0, "f"), "");  // beyond its end
}

TEST_F(CallsTest, WhatBreaksTheProtocolIsToldSoThatTheInstanceEnds) {
  EXPECT_EQ(open(1024, {}, false), "");
  EXPECT_NE(open(1024), "") << "the number is in use";
  EXPECT_NE(open(5), "") << "a number without a generation";
  EXPECT_NE(open(1025, std::string(wire::kWindow + 1, 'x')), "");
  EXPECT_NE(send(FrameType::call_body, 1024, 0, std::string(wire::kWindow + 1, 'x')), "");
  EXPECT_NE(send(FrameType::call_credit, 1024, 1), "") << "nothing was sent to it";
  EXPECT_NE(send(FrameType::call_response, 1024), "");
  EXPECT_EQ(send(FrameType::call_body, 4096, 0, "late"), "") << "of a call that has ended";
}

TEST_F(CallsTest, WhatCannotBeCalledIsAnErrorOfThatCallAlone) {
  refuse = true;
  EXPECT_EQ(open(1024), "");
  EXPECT_EQ(type_of_error(), "urn:mayfly:call:not-allowed");
  refuse = false;
  EXPECT_EQ(open(1024, {}, true, false), "");
  EXPECT_EQ(type_of_error(), "urn:mayfly:call:caller-gone");
  caller.depth = kMaxDepth;
  EXPECT_EQ(open(1024), "");
  EXPECT_EQ(type_of_error(), "urn:mayfly:call:depth");
  caller.depth = 0;
  max_request = 3;
  EXPECT_EQ(open(1024, "four"), "");
  EXPECT_EQ(type_of_error(), "urn:mayfly:call:body-too-large");
  EXPECT_EQ(open(1024, "one", false), "");
  EXPECT_EQ(send(FrameType::call_body, 1024, 0, "more"), "");
  EXPECT_EQ(type_of_error(), "urn:mayfly:call:body-too-large");
  EXPECT_EQ(service.cancelled, 1);
  EXPECT_EQ(calls.open_calls(), 0U);
}

TEST_F(CallsTest, AFailureHasItsTypeAndNothingOfAGuardedMessage) {
  EXPECT_EQ(open(1024), "");
  Invocation& invocation = *service.taken[0];
  invocation.state = Invocation::State::idle;
  invocation.listener->on_failure(invocation,
                                  Error{PoolErrc::handler_threw, "password is 1234", {{"stack", "secret"}}});
  const auto frames = sent();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].aux, 500U);
  EXPECT_EQ(frames[0].payload.find("1234"), std::string::npos);
  EXPECT_EQ(frames[0].payload.find("secret"), std::string::npos);
  EXPECT_NE(frames[0].payload.find("urn:mayfly:pool:handler-threw"), std::string::npos);
}

TEST_F(CallsTest, ACallerThatIsOverTakesItsCallsAlong) {
  EXPECT_EQ(open(1024), "");
  EXPECT_EQ(open(1025), "");
  service.runs = false;
  EXPECT_EQ(open(1026), "");
  EXPECT_EQ(calls.waiting_text(1024).substr(0, 28), "; it waited for back, back, ");
  calls.end_of(1024);
  EXPECT_EQ(service.cancelled, 3);
  EXPECT_EQ(calls.open_calls(), 0U);
  EXPECT_EQ(calls.waiting_text(1024), "");
}

TEST_F(CallsTest, AnInstanceLeavesACallWithoutAnAnswer) {
  EXPECT_EQ(open(1024), "");
  EXPECT_EQ(send(FrameType::call_abort, 1024), "");
  EXPECT_EQ(service.cancelled, 1);
  EXPECT_TRUE(sent().empty());
}

}  // namespace
}  // namespace mayfly::pool
