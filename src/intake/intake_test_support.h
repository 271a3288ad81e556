// A request on its way through a service of the platform, and an engine for it. Used by tests alone.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/temp_folder.h"
#include "events/engine.h"
#include "events/sqlite_store.h"
#include "intake/local_request.h"

namespace mayfly::intake {

using namespace std::string_literals;
using namespace std::chrono_literals;

/// Waits for one answer.
struct Client final : pool::InvocationListener {
  void on_response(pool::Invocation&, unsigned got, std::string_view fields, std::string_view bytes,
                   bool end) override {
    EXPECT_TRUE(end);
    ++answers;
    status = got;
    headers = fields;
    body = bytes;
  }
  void on_body(pool::Invocation&, std::string_view, bool) override { ADD_FAILURE(); }
  void on_request_credit(pool::Invocation&, std::size_t bytes) override { credit += bytes; }
  void on_failure(pool::Invocation&, Error error) override {
    ++answers;
    failure = std::move(error);
  }
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }

  pool::Invocation invocation{*this};
  int answers = 0;
  unsigned status = 0;
  std::string headers;
  std::string body;
  std::size_t credit = 0;
  std::optional<Error> failure;
};

/// Answers each delivery by what the test says, at once.
struct AnsweringDeliverer final : events::Deliverer {
  struct Nothing final : events::Attempting {
    void cancel() override {}
  };
  std::shared_ptr<events::Attempting> deliver(
      events::Task, std::function<void(std::vector<events::Verdict>)> then) override {
    boost::asio::post(executor, [then = std::move(then), verdict = verdict] { then({verdict}); });
    return std::make_shared<Nothing>();
  }
  boost::asio::any_io_executor executor;
  events::Verdict verdict{};
};

struct IntakeTest : testing::Test {
  ~IntakeTest() override {
    engine.reset();
    store.reset();
  }
  void with_engine() {
    store = events::SqliteStore::open(
                {.file = folder.path() / "events.db", .vfs = {}, .clock = nullptr, .bounds = {}})
                .value();
    engine = std::make_unique<events::Engine>(*store, deliverer, clock);
    deliverer.executor = engine->executor();
    engine->start();
  }
  Place place() { return {io.get_executor(), wheel}; }
  /// Hands a request in, with all of its body.
  std::unique_ptr<Client> submit(pool::Service& service, std::string_view method, std::string_view target,
                                 std::string headers = {}, std::string body = {}) {
    auto client = std::make_unique<Client>();
    auto& invocation = client->invocation;
    invocation.id.fill('7');
    invocation.method = method;
    invocation.target = target;
    invocation.headers = std::move(headers);
    invocation.body = std::move(body);
    invocation.deadline = now + 30s;
    service.submit(invocation);
    return client;
  }
  void run() {
    io.restart();
    io.poll();
  }
  [[nodiscard]] bool answered(const Client& client) {
    const auto patience = std::chrono::steady_clock::now() + 20s;
    while (client.answers == 0 && std::chrono::steady_clock::now() < patience) {
      io.restart();
      io.run_for(1ms);
    }
    return client.answers == 1;
  }

  TempFolder folder;
  SystemClock clock;
  boost::asio::io_context io;
  const MonotonicTime now = clock.now();
  DeadlineWheel wheel{now};
  AnsweringDeliverer deliverer;
  std::unique_ptr<events::SqliteStore> store;
  std::unique_ptr<events::Engine> engine;
};

}  // namespace mayfly::intake
