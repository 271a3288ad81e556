// A scheduler over a fake runtime. Used by tests alone.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

#include "pool/fake_runtime_test_support.h"
#include "scheduler/scheduler.h"

namespace mayfly::scheduler {

using pool::TestInvocation;

/// One function on a shard: its runtime, and its scheduler once it is made.
struct Served {
  Served(pool::TestLoop& l, Capacity& c) : loop(l), capacity(c), runtime(l.io) {}
  void make() {
    scheduler = std::make_unique<Scheduler>(
        pool::PoolContext{loop.io.get_executor(), loop.reactor, loop.deadlines, runtime, logs, loop.warmth},
        capacity, std::make_shared<registry::Version>(*version), stats);
  }
  /// A new invocation, submitted.
  TestInvocation& submit() {
    auto& test = tests.emplace_back(std::to_string(tests.size()));
    test.invocation.deadline = test.invocation.accepted + version->config.timeout;
    scheduler->submit(test.invocation);
    return test;
  }
  void submit(int count) {
    for (int i = 0; i < count; ++i) submit();
  }
  /// Every bridge answers all that it got; the number of answers.
  int answer_all() {
    loop.settle();
    int answers = 0;
    for (const auto& bridge : runtime.instances) {
      if (bridge->dead) continue;
      for (auto got = bridge->take_invoke(); got.stream != 0; got = bridge->take_invoke()) {
        bridge->respond(got.stream, 200, {}, "ok");
        ++answers;
      }
    }
    loop.settle();
    return answers;
  }
  [[nodiscard]] std::size_t running() const { return stats->running.get(); }
  [[nodiscard]] int answered() const {
    return static_cast<int>(
        std::ranges::count_if(tests, [](const auto& t) { return t.status == 200 && t.ended == 1; }));
  }
  [[nodiscard]] bool serves(int instances) {
    return loop.until([&] {
      const auto& p = scheduler->pool();
      return p.instances() - p.starting() == instances;
    });
  }

  pool::TestLoop& loop;
  Capacity& capacity;
  pool::FakeRuntime runtime;
  pool::FakeLogs logs;
  std::shared_ptr<registry::Version> version = pool::test_version();
  std::shared_ptr<pool::VersionStats> stats = std::make_shared<pool::VersionStats>();
  std::deque<TestInvocation> tests;
  std::unique_ptr<Scheduler> scheduler;
};

struct SchedulerTest : testing::Test {
  SchedulerTest() { f.version->config.concurrency = 10; }
  ~SchedulerTest() override {
    f.scheduler.reset();
    loop.settle();
  }
  pool::TestLoop loop;
  Capacity capacity{100};
  Served f{loop, capacity};
};

}  // namespace mayfly::scheduler
