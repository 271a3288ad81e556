// A daemon without processes: the real registry and deploy pipeline, a platform that accepts all code.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "admin/api.h"
#include "base/temp_folder.h"

namespace mayfly::admin {

struct FakePlatform final : registry::Platform {
  std::optional<Error> refusal;  ///< what the next prepare() says
  boost::asio::awaitable<Result<void>> prepare(registry::VersionPtr) override {
    if (refusal) co_return std::unexpected(*std::exchange(refusal, std::nullopt));
    co_return Result<void>{};
  }
  void publish(const std::string&, registry::FunctionPtr) override {}
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
  std::vector<std::string> renewed;  ///< secrets that it was called with
  boost::asio::awaitable<std::vector<Renewed>> renew(std::string secret) override {
    renewed.push_back(std::move(secret));
    co_return renewals;
  }
  access::KeyTablePtr keys;
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

class FakeDaemon {
 public:
  FakeDaemon()
      : registry_(registry::Registry::open({.data = folder_.path()}).value()),
        secrets_(secrets::Secrets::open({.data = folder_.path()}).value()),
        deployer_(context.get_executor(), *registry_, platform),
        tokens_(Tokens::open(folder_.path(), clock).value()),
        keys_(access::Keys::open(folder_.path(), clock).value()),
        services_{*registry_, deployer_, operations, *secrets_, context.get_executor(), *tokens_, *keys_} {
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

  boost::asio::io_context context;
  FakePlatform platform;
  FakeOperations operations;
  ManualClock clock;

 private:
  TempFolder folder_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<secrets::Secrets> secrets_;
  registry::Deployer deployer_;
  std::unique_ptr<Tokens> tokens_;
  std::unique_ptr<access::Keys> keys_;
  Services services_;
};

}  // namespace mayfly::admin
