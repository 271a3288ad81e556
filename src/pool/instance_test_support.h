// An instance over a socket pair, its bridge made in the test. Used by tests alone.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <optional>
#include <string>
#include <vector>

#include "pool/fake_runtime_test_support.h"
#include "pool/instance.h"

namespace mayfly::pool {

/// Keeps what it is told, in words.
struct TestOwner final : InstanceOwner {
  void on_started(Instance&) override { ++started; }
  void on_slot_free(Instance&) override { ++freed; }
  void on_reacts(Instance&) override { ++reacted; }
  void on_cost(nanoseconds per_invocation) override { cost = per_invocation; }
  void on_answered(nanoseconds) override { ++answered; }
  void on_taken_back(Invocation& invocation) override { taken_back.push_back(&invocation); }
  nanoseconds fork_price() const override { return price; }
  Error on_overdue(const Invocation&) override {
    return {std::make_error_code(std::errc::timed_out), "overdue", {}};
  }
  void on_overdue_unheard(std::string_view, bool has_answered) override {
    failures.emplace_back(has_answered ? "after its answer" : "unheard");
  }
  std::uint64_t max_response() const override { return largest; }
  std::uint64_t memory_limit() const override { return 64U << 20U; }
  bool take_memory_kill() override { return memory_kills > 0 && memory_kills-- > 0; }
  bool single_use() const override { return one_each; }
  void on_ended(Instance&, const Error& error) override {
    ++ended;
    why = error;
  }
  void on_failure(std::string_view, const Error& error) override { failures.push_back(error.message); }

  int started = 0, freed = 0, reacted = 0, answered = 0, ended = 0;
  std::uint64_t largest = 1U << 20U;
  bool one_each = false;
  int memory_kills = 0;
  nanoseconds cost{0};
  std::optional<Error> why;
  std::vector<std::string> failures;
  std::vector<Invocation*> taken_back;  ///< in the order that they came
  nanoseconds price{std::chrono::hours(1)};
};

struct InstanceTest : testing::Test {
  InstanceTest() { make(2); }
  ~InstanceTest() override {
    instance->disown();
    bridge->vanish();
    loop.settle();
  }

  /// A new instance that takes so many invocations at once, and its bridge.
  void make(int concurrency, std::optional<wire::Offers> offers = {}) {
    if (bridge) instance->disown(), bridge->vanish();
    auto pair = socket_pair(SOCK_STREAM);
    bridge = std::make_shared<FakeInstance>(loop.io, std::move(pair->theirs), Fd());
    instance = std::make_shared<Instance>(loop.reactor, loop.deadlines, owner, std::move(pair->ours),
                                          concurrency, std::move(offers));
    bridge->report = [this](int status) { instance->on_exited(status); };
    instance->start();
    instance->on_forked(Fd(copy_of(bridge->pidfd())));
    bridge->begin();
  }
  void serve() {
    bridge->serve();
    ASSERT_TRUE(loop.until([&] { return instance->state() == Instance::State::serving; }));
  }
  /// The first invocation of an instance; its stream.
  std::uint32_t serve(TestInvocation& test) {
    serve();
    run(test);
    return next().stream;
  }
  /// From now on the bridge answers pings.
  void answer_pings() {
    bridge->hook = [](FakeInstance& self, FakeInstance::Got& got) {
      if (got.type == wire::FrameType::ping) self.tell(wire::FrameType::pong);
      self.got.push_back(std::move(got));
    };
  }
  [[nodiscard]] bool pinged() {
    return loop.until(
        [&] { return !bridge->got.empty() && bridge->got.back().type == wire::FrameType::ping; });
  }
  void run(TestInvocation& test) { instance->run(test.invocation, Lease(*instance)); }
  /// The next frame that the bridge got.
  FakeInstance::Got next() {
    if (!loop.until([&] { return !bridge->got.empty(); })) return {};
    auto got = std::move(bridge->got.front());
    bridge->got.pop_front();
    return got;
  }
  [[nodiscard]] bool ended() {
    return loop.until([&] { return owner.ended > 0; });
  }

  TestLoop loop;
  TestOwner owner;
  std::shared_ptr<FakeInstance> bridge;
  std::shared_ptr<Instance> instance;
};

}  // namespace mayfly::pool
