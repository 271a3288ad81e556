// Sessions over TCP on the loopback, with a host, a real scheduler and pool, and a runtime made in the test.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/session.h"
#include "pool/fake_runtime_test_support.h"
#include "router/route_table.h"
#include "scheduler/scheduler.h"

namespace mayfly::gateway {

/// A pair of connected TCP sockets on the loopback.
inline FdPair tcp_pair() {
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(listener.get(), any, length) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), any, &length) != 0)
    return {};
  const int on = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::connect(client.get(), any, length);
  Fd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  return {std::move(server), std::move(client)};
}

/// One answer as a client reads it.
struct Answer {
  unsigned status = 0;
  std::map<std::string, std::string> fields;  ///< names as they came
  std::string body;
};

struct SessionTest : testing::Test, GatewayHost {
  SessionTest() {
    version->config.concurrency = 10;
    options.header_timeout = options.idle_timeout = std::chrono::minutes(10);  // tests of them set their own
    runtime.hook = [this](pool::FakeInstance& bridge, pool::FakeInstance::Got& got) {
      if (got.type == wire::FrameType::invoke) invoked = got, invoked_in = &bridge;
      frames.push_back(got);
      if (handler) handler(bridge, got);
    };
  }
  ~SessionTest() override {
    for (auto& [session, held] : sessions) leaving.push_back(session);
    for (auto* session : leaving) session->close();
    loop.settle();
    scheduler.reset();
    loop.settle();
  }

  // --- The host
  Result<Destination> route(RequestHead& head) override {
    routed.push_back(head.method + " " + head.host + " " + head.target);
    if (route_error) return std::unexpected(*route_error);
    Destination destination = somewhere;
    if (!other_shard) {
      if (!scheduler)
        scheduler = std::make_unique<scheduler::Scheduler>(
            pool::PoolContext{loop.io.get_executor(), loop.reactor, loop.deadlines, runtime, logs,
                              loop.warmth},
            capacity, version, stats);
      destination.service = scheduler.get();
    }
    destination.target = head.target;
    if (on_route) on_route(head, destination);
    return destination;
  }
  void move(unsigned shard, MovedConnection connection) override {
    moved_to = shard;
    moved.push_back(std::move(connection));
  }
  void new_invocation_id(std::array<char, 32>& id) override {
    id.fill('a');
    id[31] = static_cast<char>('0' + ++ids % 10);
  }
  void ended(Session& session) override {
    ++sessions_ended;
    const auto found = sessions.find(&session);
    boost::asio::post(loop.io, [held = std::shared_ptr<Session>(std::move(found->second))] {});
    sessions.erase(found);
  }
  [[nodiscard]] bool draining() const override { return false; }

  // --- The client
  /// A session, and its client connected to it. `bytes` came along from another shard.
  Session& connect(std::string bytes = {}) {
    auto pair = tcp_pair();
    client = std::move(pair.theirs);
    input.clear();
    closed = false;
    auto session =
        std::make_unique<Session>(std::move(pair.ours), *this, loop.reactor, loop.deadlines, options);
    Session& made = *session;
    sessions.emplace(&made, std::move(session));
    if (!refusing) made.start(std::move(bytes));
    return made;
  }
  /// All of it; the session reads meanwhile.
  void send(std::string_view text) {
    ASSERT_TRUE(loop.until([&] {
      const ssize_t sent = ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
      return text.empty() || (sent < 0 && errno != EAGAIN);
    }));
  }
  /// Takes what has come. Notices when the session has closed.
  void take() {
    std::array<char, 16384> part;
    for (;;) {
      const ssize_t got = ::recv(client.get(), part.data(), part.size(), 0);
      if (got > 0) {
        input.append(part.data(), static_cast<std::size_t>(got));
      } else {
        closed |= got == 0 || errno != EAGAIN;
        return;
      }
    }
  }
  [[nodiscard]] bool until_text(std::string_view mark) {
    return loop.until([&] {
      take();
      return input.find(mark) != input.npos;
    });
  }
  [[nodiscard]] bool until_closed() {
    return loop.until([&] {
      take();
      return closed;
    });
  }
  /// The next answer with a length, off the input. With `head_only` no body is expected.
  Answer answer(bool head_only = false) {
    Answer result;
    if (!until_text("\r\n\r\n")) return result;
    const auto end = input.find("\r\n\r\n");
    std::string_view lines = std::string_view(input).substr(0, end);
    result.status = static_cast<unsigned>(std::stoi(input.substr(9, 3)));
    for (auto at = lines.find("\r\n"); at != lines.npos; at = lines.find("\r\n")) {
      lines.remove_prefix(at + 2);
      const auto line = lines.substr(0, lines.find("\r\n"));
      result.fields[std::string(line.substr(0, line.find(": ")))] = line.substr(line.find(": ") + 2);
    }
    input.erase(0, end + 4);
    if (head_only || !result.fields.contains("content-length")) return result;
    const auto length = static_cast<std::size_t>(std::stoi(result.fields["content-length"]));
    EXPECT_TRUE(loop.until([&] {
      take();
      return input.size() >= length || closed;
    }));
    result.body = input.substr(0, length);
    input.erase(0, length);
    return result;
  }
  /// The handler answers every invocation at once.
  void answers(unsigned status, std::string headers, std::string body) {
    handler = [=](pool::FakeInstance& bridge, pool::FakeInstance::Got& got) {
      if (got.type == wire::FrameType::invoke) bridge.respond(got.stream, status, headers, body);
    };
  }
  /// The handler answers with method, target and body once all of the body has come, as it gets credit for
  /// it.
  void echoes() {
    handler = [this](pool::FakeInstance& bridge, pool::FakeInstance::Got& got) {
      if (got.type == wire::FrameType::credit) return send_rest(bridge, got.stream, got.aux);
      auto& sofar = bodies[got.stream];
      if (got.type == wire::FrameType::invoke) sofar = got.method + " " + got.target + " ";
      if (got.type != wire::FrameType::invoke && got.type != wire::FrameType::body) return;
      sofar += got.payload;
      bridge.tell(wire::FrameType::credit, got.stream, static_cast<std::uint32_t>(got.payload.size()));
      if (!got.ended()) return;
      rest = sofar.substr(std::min<std::size_t>(sofar.size(), wire::kWindow));
      if (rest.empty()) return bridge.respond(got.stream, 200, {}, sofar);
      const auto length =
          "content-length" + std::string(1, '\0') + std::to_string(sofar.size()) + std::string(1, '\0');
      bridge.respond(got.stream, 200, length, sofar.substr(0, wire::kWindow), 0);
    };
  }
  void send_rest(pool::FakeInstance& bridge, std::uint32_t stream, std::size_t credit) {
    if (rest.empty()) return;
    const auto part = rest.substr(0, credit);
    rest.erase(0, part.size());
    bridge.body(stream, part, rest.empty());
  }
  /// The instance that got the last request.
  [[nodiscard]] pool::FakeInstance& bridge() { return *invoked_in; }
  [[nodiscard]] bool until_frame(wire::FrameType type) {
    return loop.until(
        [&] { return std::ranges::any_of(frames, [&](const auto& f) { return f.type == type; }); });
  }

  pool::TestLoop loop;
  scheduler::Capacity capacity{10};
  pool::FakeRuntime runtime{loop.io};
  pool::FakeLogs logs;
  std::shared_ptr<registry::Version> version = pool::test_version();
  std::shared_ptr<pool::VersionStats> stats = std::make_shared<pool::VersionStats>();
  std::unique_ptr<scheduler::Scheduler> scheduler;
  std::string rest;  ///< of the answer that echoes() is sending
  GatewayOptions options;
  Destination somewhere{
      .timeout = std::chrono::seconds(60), .max_request = 1U << 20U, .target = {}, .prefix = {}};
  std::map<Session*, std::unique_ptr<Session>> sessions;
  std::vector<Session*> leaving;

  std::function<void(pool::FakeInstance&, pool::FakeInstance::Got&)> handler;
  std::map<std::uint32_t, std::string> bodies;
  pool::FakeInstance* invoked_in = nullptr;
  pool::FakeInstance::Got invoked;              ///< the last request that came to an instance
  std::vector<pool::FakeInstance::Got> frames;  ///< all that came to instances
  std::vector<std::string> routed;
  std::optional<Error> route_error;
  std::function<void(RequestHead&, Destination&)> on_route;
  bool other_shard = false;
  bool refusing = false;
  unsigned moved_to = 0;
  std::vector<MovedConnection> moved;
  int ids = 0;
  int sessions_ended = 0;

  Fd client;
  std::string input;  ///< what came from the session and was not looked at yet
  bool closed = false;
};

}  // namespace mayfly::gateway
