// A pool over a fake runtime, for its tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "pool/fake_runtime_test_support.h"
#include "pool/pool.h"

namespace mayfly::pool {

using testing::HasSubstr;

using namespace std::chrono_literals;

struct Listener final : PoolListener {
  void on_capacity() override { ++capacity; }
  void on_taken_back(Invocation&) override {}
  void on_unavailable(const Error& why) override { unavailable.push_back(why); }
  Error on_overdue(const Invocation&) override {
    return {std::make_error_code(std::errc::timed_out), "overdue", {}};
  }
  void on_retired(bool was_instance) override { ++(was_instance ? instances : templates); }
  bool on_prewarm() override { return prewarm && prewarm(); }
  std::function<bool()> prewarm;
  int capacity = 0, instances = 0, templates = 0;
  std::vector<Error> unavailable;
};

struct PoolTest : testing::Test {
  PoolTest() { make(); }
  ~PoolTest() override {
    pool.reset();
    loop.settle();
  }
  /// A pool for what `version` says now.
  void make() {
    pool.reset();
    pool = std::make_unique<Pool>(PoolContext{loop.io.get_executor(),
                                              loop.reactor,
                                              loop.deadlines,
                                              runtime,
                                              logs,
                                              loop.warmth,
                                              {secrets.get(), datasets.get()}},
                                  std::make_shared<registry::Version>(*version), listener, stats);
  }
  /// How preparing went; fails the test if it does not end.
  Result<void> prepare() {
    std::optional<Result<void>> result;
    pool->prepare([&](const Result<void>& r) { result = r; });
    EXPECT_TRUE(loop.until([&] { return result.has_value(); }));
    return *result;
  }
  void start(int count) {
    const int serving = pool->instances() - pool->starting() + count;
    for (int i = 0; i < count; ++i) ASSERT_TRUE(pool->start_instance());
    ASSERT_TRUE(loop.until([&] { return pool->instances() - pool->starting() >= serving; }));
    loop.settle();  // their processes are known, too
  }
  /// Its invocation runs in whatever instance the pool leases.
  Instance* run(TestInvocation& test, int depth = 1, bool any = false) {
    Lease lease = pool->lease(depth, any);
    Instance* const instance = lease.instance();
    if (instance != nullptr) instance->run(test.invocation, std::move(lease));
    return instance;
  }
  /// The bridge answers the next invocation that it got.
  void answer(FakeInstance& bridge) {
    ASSERT_TRUE(loop.until([&] { return !bridge.got.empty(); }));
    bridge.respond(bridge.take_invoke().stream, 200, {}, "ok");
  }

  TestLoop loop;
  FakeRuntime runtime{loop.io};
  FakeLogs logs;
  Listener listener;
  std::unique_ptr<secrets::Secrets> secrets;
  std::unique_ptr<datasets::Datasets> datasets;
  std::shared_ptr<registry::Version> version = test_version();
  std::shared_ptr<VersionStats> stats = std::make_shared<VersionStats>();
  std::unique_ptr<Pool> pool;
};

}  // namespace mayfly::pool
