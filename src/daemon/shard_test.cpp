#include "daemon/shard.h"

#include <gtest/gtest.h>

#include <boost/asio/thread_pool.hpp>
#include <future>
#include <set>

#include "base/temp_folder.h"
#include "gateway/session_test_support.h"

namespace mayfly::daemon {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

/// Runtimes of several functions on a thread of their own. Every instance answers "NAME@VERSION TARGET BODY",
/// with the variable KEY of its environment behind the version.
class Runtimes final : public tmpl::Forker {
 public:
  Runtimes() : work_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~Runtimes() override {
    io_.stop();
    thread_.join();
  }
  void fork(tmpl::Payload payload, Fd channel, Fd log, const boost::asio::any_io_executor& executor,
            tmpl::ChildHandlers handlers) override {
    auto fds = std::make_shared<FdPair>(FdPair{std::move(channel), std::move(log)});
    boost::asio::post(io_, [this, payload = std::move(payload), fds, executor,
                            handlers = std::move(handlers)]() mutable {
      const auto about = json::parse(read_all(payload.document.get()).value());
      const auto name =
          about["function"].get<std::string>() + "@" + std::to_string(about["version"].get<int>());
      tmpl::ChildHandlers there;
      there.forked = [executor, handlers](Result<Fd> pidfd) {
        auto result = std::make_shared<Result<Fd>>(std::move(pidfd));
        boost::asio::post(executor, [result, handlers] { handlers.forked(std::move(*result)); });
      };
      auto& runtime = runtimes_[name];
      if (!runtime) runtime = std::make_unique<pool::FakeRuntime>(io_);
      runtime->loads = loads;
      const auto key = about["env"].value("KEY", "");
      runtime->hook = [this, name, key](pool::FakeInstance& from, pool::FakeInstance::Got& got) {
        if (got.type != wire::FrameType::invoke) return;
        auto answer = [&from, stream = got.stream, text = name + key + " " + got.target + " " + got.payload] {
          from.respond(stream, 200, {}, text);
        };
        if (hold) return held.push_back(answer);
        answer();
      };
      runtime->fork(std::move(payload), std::move(fds->ours), std::move(fds->theirs), executor,
                    std::move(there));
    });
  }
  /// Lets go what was held.
  void release() {
    hold = false;
    boost::asio::post(io_, [this] {
      for (const auto& answer : std::exchange(held, {})) answer();
    });
  }

  /// The template of "NAME@VERSION" has loaded its code.
  void load(const std::string& name) {
    boost::asio::post(io_, [this, name] { runtimes_[name]->template_says(wire::ControlType::ready, "{}"); });
  }

  /// How many templates "NAME@VERSION" ever had.
  int templates(const std::string& name) {
    std::promise<int> count;
    boost::asio::post(io_, [&] {
      const auto& runtime = runtimes_[name];
      count.set_value(runtime ? runtime->templates : 0);
    });
    return count.get_future().get();
  }

  /// It cannot.
  void break_template(const std::string& name) {
    boost::asio::post(io_, [this, name] {
      runtimes_[name]->template_says(wire::ControlType::failed, R"({"message":"no such key"})");
    });
  }

  std::atomic<bool> loads = true;  ///< templates are ready at once
  std::atomic<bool> hold = false;
  std::vector<std::function<void()>> held;  // runtimes' thread

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::map<std::string, std::unique_ptr<pool::FakeRuntime>> runtimes_;
  std::thread thread_;
};

/// Thread-safe, and keeps nothing.
struct NoLogs final : pool::LogSink {
  void take(Fd, const registry::Version&, std::shared_ptr<pool::LastWords>) override {}
  void failed(const registry::Version&, std::string_view, const Error&) override {}
};

struct Client {
  Fd socket;
  std::string input;
  void get(const std::string& target) {
    const auto text = "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  bool read() {
    std::array<char, 4096> part;
    ssize_t got = 0;
    do got = ::recv(socket.get(), part.data(), part.size(), 0);
    while (got < 0 && errno == EINTR);  // one with a timeout is not begun again by the kernel: signal(7)
    if (got > 0) input.append(part.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
  /// "STATUS BODY" of the next answer, "" when there is none.
  std::string answer() {
    std::size_t end = 0;
    while ((end = input.find("\r\n\r\n")) == input.npos)
      if (!read()) return "";
    const auto length = std::stoul(input.substr(input.find("content-length: ") + 16));
    while (input.size() < end + 4 + length)
      if (!read()) return "";
    auto text = input.substr(9, 3) + " " + input.substr(end + 4, length);
    input.erase(0, end + 4 + length);
    return text.starts_with("200") ? text : text.substr(0, 3);
  }
};

struct ShardTest : testing::Test {
  static constexpr unsigned kShards = 2;
  ShardTest() { make({}); }
  ~ShardTest() override {
    for (const auto& shard : shards) shard->stop();
    background.join();
  }
  void make(gateway::GatewayOptions options) {
    for (const auto& shard : shards) shard->stop();
    shards.clear();
    for (unsigned i = 0; i < kShards; ++i) {
      ShardOptions shard;
      shard.index = i;
      shard.count = kShards;
      shard.gateway = options;
      shard.stores.secrets = secrets.get();
      shards.push_back(std::make_unique<Shard>(
          shard, [this](const registry::Version&) -> tmpl::Forker& { return runtimes; }, logs,
          background.get_executor(),
          [this](unsigned to, gateway::MovedConnection connection) {
            ++moves;
            adopt(to, std::move(connection));
          }));
    }
    for (const auto& shard : shards) shard->start();
  }
  void adopt(unsigned shard, gateway::MovedConnection connection) {
    auto held = std::make_shared<gateway::MovedConnection>(std::move(connection));
    shards[shard]->post([this, shard, held] { shards[shard]->adopt(std::move(*held)); });
  }
  Client connect(unsigned shard) {
    auto pair = gateway::tcp_pair();
    ::fcntl(pair.theirs.get(), F_SETFL, 0);
    const timeval patience{20, 0};
    ::setsockopt(pair.theirs.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    adopt(shard, {std::move(pair.ours), {}});
    return {std::move(pair.theirs), {}};
  }
  /// What a shard says, on its own thread.
  template <class F>
  auto ask(unsigned shard, F question) {
    std::promise<decltype(question(*shards[shard]))> answer;
    shards[shard]->post([&] { answer.set_value(question(*shards[shard])); });
    return answer.get_future().get();
  }
  json live(const std::string& name) {
    return ask(home(name), [&](Shard& shard) { return shard.live(name); });
  }
  template <class Condition>
  [[nodiscard]] static bool eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  /// Versions 1…newest of a function, all traffic on the newest; null: deleted.
  void publish(const std::string& name, std::vector<std::uint32_t> versions, int minimum = 0) {
    auto function = std::make_shared<registry::Function>();
    function->name = name;
    for (const auto number : versions) {
      auto version = pool::test_version();
      version->function = name;
      version->number = number;
      version->config.min_instances = minimum;
      version->config.secrets = uses;
      function->versions[number] = version;
    }
    if (!versions.empty()) function->traffic.weights[versions.back()] = 100;
    functions.erase(name);
    if (!versions.empty()) functions[name] = function;
    std::vector<registry::FunctionPtr> all;
    for (const auto& [key, value] : functions) all.push_back(value);
    const auto table = std::make_shared<const router::RouteTable>(all);
    const registry::FunctionPtr changed = versions.empty() ? nullptr : function;
    for (unsigned i = 0; i < kShards; ++i)
      ask(i, [&](Shard& shard) {
        shard.publish(table, name, changed);
        return true;
      });
  }
  static unsigned home(const std::string& name) { return home_shard(name, kShards); }
  /// A name that lives on this shard.
  static std::string name_on(unsigned shard) {
    for (int i = 0;; ++i)
      if (auto name = "f" + std::to_string(i); home(name) == shard) return name;
  }

  /// Tells the shard that KEY has changed; what became of it.
  std::future<std::vector<Shard::Renewed>> renew(unsigned shard) {
    auto answer = std::make_shared<std::promise<std::vector<Shard::Renewed>>>();
    const auto take = [answer](auto renewed) { answer->set_value(std::move(renewed)); };
    shards[shard]->post(
        [this, shard, take] { shards[shard]->renew({registry::Listed::Kind::secret, "KEY"}, take); });
    return answer->get_future();
  }

  TempFolder folder;
  std::unique_ptr<secrets::Secrets> secrets = secrets::Secrets::open({.data = folder.path()}).value();
  std::vector<registry::SecretUse> uses;  ///< of what is published
  Runtimes runtimes;
  NoLogs logs;
  boost::asio::thread_pool background{1};
  std::atomic<int> moves = 0;
  std::map<std::string, registry::FunctionPtr> functions;
  std::vector<std::unique_ptr<Shard>> shards;
};

TEST(HomeShard, IsTheSameEveryTimeAndSpreads) {
  std::map<unsigned, int> count;
  for (int i = 0; i < 1000; ++i) {
    const auto name = "function-" + std::to_string(i);
    EXPECT_EQ(home_shard(name, 4), home_shard(std::string_view(name), 4));
    EXPECT_EQ(home_shard(name, 1), 0U);
    ++count[home_shard(name, 4)];
  }
  ASSERT_EQ(count.size(), 4U);
  for (const auto& [shard, functions] : count) EXPECT_GT(functions, 150) << shard;
}

TEST_F(ShardTest, AConnectionGoesWhereItsFunctionsLive) {
  const auto a = name_on(0);
  const auto b = name_on(1);
  publish(a, {1});
  publish(b, {1});
  auto client = connect(0);
  client.get("/" + a + "/x");
  EXPECT_EQ(client.answer(), "200 " + a + "@1 /x ");
  EXPECT_EQ(moves, 0);
  for (int i = 0; i < 5; ++i) {  // all at once
    client.get("/" + b);
    client.get("/" + a);
    client.get("/nobody");
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client.answer(), "200 " + b + "@1 / ");
    EXPECT_EQ(client.answer(), "200 " + a + "@1 / ");
    EXPECT_EQ(client.answer(), "404");
  }
  EXPECT_EQ(moves, 10);
}

TEST_F(ShardTest, TrafficGoesToTheNewVersionAndTheOldOneFinishes) {
  const auto name = name_on(0);
  publish(name, {1});
  runtimes.hold = true;
  auto old = connect(0);
  old.get("/" + name);
  ASSERT_TRUE(eventually([&] { return live(name)["busy"] == 1; }));
  runtimes.hold = false;
  publish(name, {1, 2});
  auto client = connect(0);
  client.get("/" + name);
  EXPECT_EQ(client.answer(), "200 " + name + "@2 / ");
  client.get("/" + name + "@1");
  EXPECT_EQ(client.answer(), "200 " + name + "@1 / ");
  publish(name, {2});  // version 1 goes while a request runs in it
  client.get("/" + name + "@1");
  EXPECT_EQ(client.answer(), "404");
  runtimes.release();
  EXPECT_EQ(old.answer(), "200 " + name + "@1 / ");
  publish(name, {});
  client.get("/" + name);
  EXPECT_EQ(client.answer(), "404");
  EXPECT_EQ(live(name)["instances"], 0);
}

TEST_F(ShardTest, AVersionThatIsBeingDeployedStaysWhileItsFunctionChanges) {
  const auto name = name_on(0);
  publish(name, {1});
  runtimes.loads = false;
  auto candidate = pool::test_version();
  candidate->function = name;
  candidate->number = 2;
  std::promise<bool> prepared;
  shards[0]->post([&] {
    shards[0]->prepare(candidate,
                       [&](const Result<void>& result) { prepared.set_value(result.has_value()); });
  });
  ASSERT_TRUE(eventually([&] { return live(name)["templates"].size() == 1; }));
  publish(name, {1});  // an alias, a split of the traffic …
  publish(name, {});   // deleted, and deployed again as it happens
  runtimes.load(name + "@2");
  auto answer = prepared.get_future();
  ASSERT_EQ(answer.wait_for(20s), std::future_status::ready) << "whoever deploys would wait for ever";
  EXPECT_TRUE(answer.get());
  publish(name, {3});
  EXPECT_EQ(live(name)["templates"], json::array()) << "nobody came for it";
}

TEST_F(ShardTest, ASecretThatChangesComesWithANewTemplateAndTheOldOneFinishes) {
  const auto name = name_on(0);
  const auto other = name_on(1);
  ASSERT_TRUE(secrets->set("KEY", "#old"));
  publish(other, {1});
  uses = {{"KEY", false}};
  publish(name, {1}, 1);
  runtimes.hold = true;
  auto old = connect(0);
  old.get("/" + name);
  ASSERT_TRUE(eventually([&] { return live(name)["busy"] == 1; }));
  runtimes.hold = false;
  ASSERT_TRUE(secrets->set("KEY", "#new"));
  const auto renewed = renew(0).get();
  ASSERT_EQ(renewed.size(), 1U);
  EXPECT_EQ(renewed[0].version->address(), name + "@1");
  EXPECT_FALSE(renewed[0].error);
  auto client = connect(0);
  client.get("/" + name);
  EXPECT_EQ(client.answer(), "200 " + name + "@1#new / ");
  runtimes.release();
  EXPECT_EQ(old.answer(), "200 " + name + "@1#old / ") << "it was running when the secret changed";
  ASSERT_TRUE(eventually([&] { return live(name)["instances"] == 1; })) << "the minimum is kept";
  EXPECT_EQ(live(name)["templates"].size(), 1U);
  EXPECT_TRUE(renew(1).get().empty()) << "the other one does not list it";
}

TEST_F(ShardTest, CodeThatDoesNotLoadWithANewSecretGoesOnWithTheOld) {
  const auto name = name_on(0);
  ASSERT_TRUE(secrets->set("KEY", "#old"));
  uses = {{"KEY", false}};
  publish(name, {1});
  EXPECT_TRUE(renew(0).get().empty()) << "nothing is loaded";
  auto client = connect(0);
  client.get("/" + name);
  EXPECT_EQ(client.answer(), "200 " + name + "@1#old / ");
  ASSERT_TRUE(secrets->set("KEY", "#bad"));
  runtimes.loads = false;
  auto failing = renew(0);
  ASSERT_TRUE(eventually([&] { return runtimes.templates(name + "@1") == 2; }));
  runtimes.break_template(name + "@1");
  const auto renewed = failing.get();
  ASSERT_EQ(renewed.size(), 1U);
  ASSERT_TRUE(renewed[0].error);
  EXPECT_EQ(renewed[0].error->message, "no such key");
  EXPECT_EQ(live(name)["templates"].size(), 1U)
      << "the old one; that it serves on is in the integration tests";
  runtimes.loads = true;
  ASSERT_TRUE(secrets->set("KEY", "#good"));
  EXPECT_FALSE(renew(0).get().at(0).error);
  client.get("/" + name);
  EXPECT_EQ(client.answer(), "200 " + name + "@1#good / ");
}

TEST_F(ShardTest, AVersionThatIsBeingDeployedGetsTheNewSecretToo) {
  const auto name = name_on(0);
  ASSERT_TRUE(secrets->set("KEY", "#old"));
  uses = {{"KEY", false}};
  auto candidate = pool::test_version();
  candidate->function = name;
  candidate->config.secrets = uses;
  runtimes.loads = false;
  std::promise<bool> prepared;
  shards[0]->post([&] {
    shards[0]->prepare(candidate,
                       [&](const Result<void>& result) { prepared.set_value(result.has_value()); });
  });
  ASSERT_TRUE(eventually([&] { return live(name)["templates"].size() == 1; }));
  ASSERT_TRUE(secrets->set("KEY", "#new"));
  auto renewing = renew(0);
  ask(0, [](Shard&) { return true; });  // it has begun
  runtimes.loads = true;
  runtimes.load(name + "@1");
  EXPECT_TRUE(prepared.get_future().get()) << "the deploy does not fail for it";
  ASSERT_EQ(renewing.get().size(), 1U);
  publish(name, {1});
  auto client = connect(0);
  client.get("/" + name);
  EXPECT_EQ(client.answer(), "200 " + name + "@1#new / ");
}

TEST_F(ShardTest, OneInvocationOfTheAdminPlane) {
  const auto name = name_on(1);
  publish(name, {1, 2});
  const auto invoke = [&](const std::string& function, std::optional<EventForm> form = {}) {
    std::promise<Result<admin::InvokeAnswer>> answer;
    auto one = std::make_shared<OneInvocation>(admin::InvokeRequest{.function = function, .body = "hi"},
                                               [&](auto got) { answer.set_value(std::move(got)); });
    one->event_form = form;
    shards[1]->post([&] { shards[1]->invoke(one); });
    return answer.get_future().get();
  };
  EXPECT_EQ(invoke(name).value().body, name + "@2 / hi");
  EXPECT_EQ(invoke(name + "@1")->body, name + "@1 / hi");
  for (const auto& unknown : {name + "@9", std::string("nobody")}) EXPECT_FALSE(invoke(unknown));
  EXPECT_TRUE(invoke(name, EventForm::delivery));
  EXPECT_EQ(invoke(name, EventForm::http).error().code, scheduler::SchedulerErrc::unavailable);
}

TEST_F(ShardTest, MinimumInstancesAreThereAndEvictedOnesComeBack) {
  const auto name = name_on(0);
  publish(name, {1}, 2);
  ASSERT_TRUE(eventually([&] { return live(name)["instances"] == 2; })) << live(name);
  const auto before = live(name)["pids"];
  ask(0, [&](Shard& shard) {
    shard.evict(name, false);
    return true;
  });
  ASSERT_TRUE(eventually([&] {
    const auto now = live(name);
    return now["instances"] == 2 && now["pids"].size() == 2 && now["pids"] != before;
  }));
  publish(name, {1}, 0);
  EXPECT_EQ(live(name)["templates"][0]["state"], "ready");
}

TEST_F(ShardTest, OneConnectionTooManyIsRefused) {
  make({.max_connections = 2});
  auto first = connect(0);
  auto second = connect(0);
  ASSERT_TRUE(eventually([&] { return ask(0, [](Shard& shard) { return shard.connections(); }) == 2; }));
  auto third = connect(0);
  EXPECT_EQ(third.answer(), "503");
  third.socket.reset();
  second.socket.reset();
  ASSERT_TRUE(eventually([&] { return ask(0, [](Shard& shard) { return shard.connections(); }) == 1; }));
  auto fourth = connect(0);
  fourth.get("/nobody");
  EXPECT_EQ(fourth.answer(), "404");
}

TEST_F(ShardTest, DrainsItsConnections) {
  const auto name = name_on(0);
  publish(name, {1});
  runtimes.hold = true;
  auto idle = connect(0);
  auto busy = connect(0);
  busy.get("/" + name);
  ASSERT_TRUE(eventually([&] { return live(name)["busy"] == 1; }));
  ask(0, [](Shard& shard) {
    shard.drain();
    return true;
  });
  EXPECT_EQ(idle.answer(), "") << "closed";
  auto late = connect(0);
  EXPECT_EQ(late.answer(), "");
  auto pair = gateway::tcp_pair();  // its request was read by another shard before
  adopt(0, {std::move(pair.ours), "GET /nobody HTTP/1.1\r\nHost: h\r\n\r\n"});
  Client moved{std::move(pair.theirs), {}};
  ::fcntl(moved.socket.get(), F_SETFL, 0);
  EXPECT_EQ(moved.answer(), "404");
  EXPECT_EQ(moved.answer(), "") << "closed";
  runtimes.release();
  EXPECT_EQ(busy.answer(), "200 " + name + "@1 / ");
  EXPECT_TRUE(eventually([&] { return ask(0, [](Shard& shard) { return shard.connections(); }) == 0; }));
}

TEST_F(ShardTest, InvocationIdsAreUniqueAndSortByTime) {
  std::set<std::string> ids;
  std::string last;
  for (int i = 0; i < 1'000; ++i) {
    const auto id = ask(0, [](gateway::GatewayHost& host) {
      std::array<char, 32> made{};
      host.new_invocation_id(made);
      return made;
    });
    const std::string text(id.data(), id.size());
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_GE(text.substr(0, 12), last.substr(0, 12));
    last = text;
    ids.insert(text);
  }
  EXPECT_EQ(ids.size(), 1'000U);
}

}  // namespace
}  // namespace mayfly::daemon
