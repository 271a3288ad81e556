// A daemon without processes: the real registry and deploy pipeline, a platform that accepts all code.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "admin/api.h"
#include "base/temp_folder.h"
#include "events/sqlite_store.h"
#include "pipelines/role.h"

namespace mayfly::admin {

struct FakePlatform final : registry::Platform {
  std::optional<Error> refusal;  ///< what the next prepare() says
  boost::asio::awaitable<Result<void>> prepare(registry::VersionPtr) override {
    if (refusal) co_return std::unexpected(*std::exchange(refusal, std::nullopt));
    co_return Result<void>{};
  }
  void publish(const std::string& name, registry::FunctionPtr function) override {
    if (!events) return;
    std::optional<events::FunctionEvents> wanted;
    if (function) wanted = events::FunctionEvents{};
    events->set_function(name, std::move(wanted));
  }
  events::Engine* events = nullptr;
};

struct FakeOperations final : Operations {
  InvokeRequest seen;
  LogQuery logs_asked;
  Result<InvokeAnswer> answer = InvokeAnswer{};
  bool is_ready = true;

  boost::asio::awaitable<nlohmann::json> live(std::string) override {
    co_return nlohmann::json{{"instances", 0}};
  }
  boost::asio::awaitable<nlohmann::json> status() override { co_return nlohmann::json{{"version", "0"}}; }
  boost::asio::awaitable<std::string> metrics() override { co_return "mayfly_up 1\n"; }
  bool ready() override { return is_ready; }
  std::string url(const std::string& function) override { return "http://127.0.0.1:8080/" + function; }
  std::string evicted;
  boost::asio::awaitable<void> evict(std::string function, bool templates) override {
    evicted = function + (templates ? " with templates" : "");
    co_return;
  }
  std::vector<Renewed> renewals;     ///< what renew() answers
  std::vector<std::string> renewed;  ///< secrets and datasets that it was called with
  boost::asio::awaitable<std::vector<Renewed>> renew(registry::Listed changed) override {
    renewed.push_back(std::move(changed.name));
    co_return renewals;
  }
  datasets::Datasets* datasets = nullptr;
  boost::asio::awaitable<Result<LoadedDataset>> load(datasets::Order order) override {
    auto finished = datasets->finish(order, datasets->load(order));
    if (!finished) co_return propagate(finished);
    datasets->settle(order.name);
    co_return LoadedDataset{*finished, renewals};
  }
  access::KeyTablePtr keys;
  boost::asio::awaitable<void> flush_usage() override { co_return; }
  boost::asio::awaitable<void> publish_keys(access::KeyTablePtr now) override {
    keys = std::move(now);
    co_return;
  }
  boost::asio::awaitable<Result<InvokeAnswer>> invoke(InvokeRequest request) override {
    seen = std::move(request);
    co_return answer;
  }
  boost::asio::awaitable<std::vector<std::string>> logs(LogQuery query,
                                                        std::shared_ptr<LogQueue> follow) override {
    logs_asked = std::move(query);
    if (follow) follow->close();
    std::vector<std::string> lines{R"({"text":"one"})", R"({"text":"two"})"};
    co_return lines;
  }
};

/// Attempts end at once, as they are told to; or they wait until they are let go. Any thread.
class FakeDeliverer final : public events::Deliverer {
 public:
  using Then = std::function<void(std::vector<events::Verdict>)>;
  using Judge = std::function<events::Verdict(const events::Task::Item&)>;

  void judge(Judge how) {
    const std::lock_guard lock(mutex_);
    judge_ = std::move(how);
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    holds_ = false;
    for (auto& one : std::exchange(held_, {})) end(one);
  }
  std::vector<events::Task> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::shared_ptr<events::Attempting> deliver(events::Task task, Then then) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(task);
    auto one = std::make_shared<One>(*this, std::move(task), std::move(then));
    if (holds_)
      held_.push_back(one);
    else
      end(one);
    return one;
  }
  boost::asio::any_io_executor executor;  ///< the engine's

 private:
  struct One final : events::Attempting, std::enable_shared_from_this<One> {
    One(FakeDeliverer& its, events::Task what, Then whom)
        : owner(its), task(std::move(what)), then(std::move(whom)) {}
    void cancel() override {
      const std::lock_guard lock(owner.mutex_);
      if (std::erase(owner.held_, shared_from_this()) > 0) owner.end(shared_from_this());
    }
    FakeDeliverer& owner;
    events::Task task;
    Then then;
  };
  using OnePtr = std::shared_ptr<One>;
  void end(const OnePtr& one) {
    std::vector<events::Verdict> verdicts;
    for (const auto& item : one->task.items) verdicts.push_back(judge_(item));
    boost::asio::post(executor, [one, verdicts] { one->then(verdicts); });
  }

  mutable std::mutex mutex_;
  Judge judge_ = [](const auto&) { return events::Verdict{}; };
  bool holds_ = false;
  std::vector<OnePtr> held_;
  std::vector<events::Task> seen_;
};

class FakeDaemon {
 public:
  FakeDaemon()
      : registry_(registry::Registry::open({.data = folder_.path()}).value()),
        secrets_(secrets::Secrets::open({.data = folder_.path()}).value()),
        datasets_(datasets::Datasets::open({folder_.path(), 64U << 20U}).value()),
        deployer_(context.get_executor(), *registry_, platform),
        tokens_(Tokens::open(folder_.path(), clock).value()),
        keys_(access::Keys::open(folder_.path(), clock).value()),
        store_(events::SqliteStore::open({.file = folder_.path() / "events.db"}).value()),
        events_(*store_, deliverer, events_clock_),
        services_{*registry_, deployer_, operations, *secrets_, *datasets_, context.get_executor(),
                  *tokens_,   *keys_,    events_,    pipelines_} {
    operations.datasets = datasets_.get();
    deliverer.executor = events_.executor();
    platform.events = &events_;
    events_.start();
    registry_->attach(platform);
  }

  [[nodiscard]] const Services& services() const { return services_; }
  /// Runs a route's handler to its end; an error is answered as the server would.
  Response call(const RouteTable& table, std::string_view method, const std::string& target,
                Request request = {}) {
    const auto question = target.find('?');
    auto match = table.match(method, target.substr(0, question));
    if (!match) return problem_response(match.error());
    request.method = method;
    request.params = match->params;
    if (question != std::string::npos) request.query = parse_query(target.substr(question + 1)).value();
    std::optional<Result<Response>> result;
    boost::asio::co_spawn(context, match->route->handler(request),
                          [&](const std::exception_ptr& failure, Result<Response> answer) {
                            if (!failure) result = std::move(answer);
                          });
    context.restart();
    context.run();
    return result.value() ? std::move(**result) : problem_response(result->error());
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] events::Engine& events() { return events_; }

  boost::asio::io_context context;
  FakePlatform platform;
  FakeOperations operations;
  ManualClock clock;
  FakeDeliverer deliverer;

 private:
  TempFolder folder_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<secrets::Secrets> secrets_;
  std::unique_ptr<datasets::Datasets> datasets_;
  registry::Deployer deployer_;
  std::unique_ptr<Tokens> tokens_;
  std::unique_ptr<access::Keys> keys_;
  SystemClock events_clock_;
  std::unique_ptr<events::EventStore> store_;
  events::Engine events_;
  pipelines::Pipelines pipelines_{
      events_, [this](const std::string& name, const auto&) {
        events_.set_function(
            "pipeline:" + name,
            events::FunctionEvents{
                .async = {}, .subscriptions = {}, .schedules = {}, .role = pipelines::queue_role(name)});
      }};
  Services services_;
};

}  // namespace mayfly::admin
