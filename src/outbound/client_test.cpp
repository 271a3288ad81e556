#include "outbound/client.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "outbound/server_test_support.h"

namespace mayfly::outbound {
namespace {

using namespace std::chrono_literals;

struct Heard final : Listener {
  void on_head(unsigned its_status, std::string its_fields) override {
    const std::lock_guard lock(mutex);
    status = its_status;
    fields = std::move(its_fields);
  }
  bool on_body(std::string_view bytes) override {
    const std::lock_guard lock(mutex);
    body.append(bytes);
    changed.notify_all();
    return body.size() <= most;
  }
  void on_sent(std::size_t bytes) override {
    const std::lock_guard lock(mutex);
    sent += bytes;
    changed.notify_all();
  }
  void on_end(Result<void> its_result) override {
    const std::lock_guard lock(mutex);
    result = std::move(its_result);
    changed.notify_all();
  }
  Result<void> wait() {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, 20s, [&] { return result.has_value(); }));
    return result.value_or(Result<void>{});
  }
  template <class Is>
  bool wait_until(Is is) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, is);
  }

  std::mutex mutex;
  std::condition_variable changed;
  unsigned status = 0;
  std::string fields{};
  std::string body{};
  std::size_t most = SIZE_MAX;
  std::size_t sent = 0;
  std::optional<Result<void>> result{};
};

struct ClientTest : testing::Test {
  Client::Id start(const Request& request) { return client.start(request, heard); }

  AddressRules loopback = *AddressRules::parse({"127.0.0.0/8"});
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  Client client{{.rules = &loopback}};
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";

TEST_F(ClientTest, BringsARequestAndItsAnswer) {
  std::string seen;
  const TestServer server([&](TestServer::Socket& socket) {
    seen = TestServer::read_head(socket);
    while (!seen.ends_with("hello")) {
      std::array<char, 64> more{};
      boost::system::error_code error;
      const auto count = socket.read_some(boost::asio::buffer(more), error);
      if (error) break;
      seen.append(more.data(), count);
    }
    TestServer::write(socket, kOk);
  });
  const std::string fields("x-one\0001\0x-empty\0\0", 17);
  start({.method = "POST", .url = server.url("/a/../b?c"), .fields = fields, .body = "hello"});
  EXPECT_TRUE(heard->wait());
  EXPECT_EQ(heard->status, 200U);
  EXPECT_EQ(heard->body, "ok");
  EXPECT_NE(heard->fields.find(std::string("x-a\0b\0", 6)), std::string::npos);
  EXPECT_TRUE(seen.starts_with("POST /a/../b?c HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("Content-Length: 5\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("x-one: 1\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("x-empty:\r\n"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Accept"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Expect"), std::string::npos) << seen;
}

TEST_F(ClientTest, ConnectsToNoAddressThatTheRulesDoNotAllow) {
  const TestServer server([](TestServer::Socket& socket) { TestServer::write(socket, kOk); });
  const AddressRules none;
  for (const auto* host : {"127.0.0.1", "localhost", "127.1"}) {
    Client strict({.rules = &none});
    heard = std::make_shared<Heard>();
    strict.start({.url = server.url("/", host)}, heard);
    const auto result = heard->wait();
    ASSERT_FALSE(result) << host;
    EXPECT_EQ(result.error().code, OutboundErrc::address_not_allowed) << host;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(ClientTest, FollowsNoRedirection) {
  const TestServer server([&](TestServer::Socket& socket) {
    TestServer::read_head(socket);
    TestServer::write(socket, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
  });
  start({.url = server.url()});
  EXPECT_TRUE(heard->wait());
  EXPECT_EQ(heard->status, 302U);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, ABodyIsSentAsItComes) {
  std::string seen;
  const TestServer server([&](TestServer::Socket& socket) {
    boost::asio::read_until(socket, boost::asio::dynamic_buffer(seen), "\r\n0\r\n\r\n");
    TestServer::write(socket, kOk);
  });
  const auto id = start({.method = "PUT", .url = server.url(), .body = "one", .body_complete = false});
  EXPECT_TRUE(heard->wait_until([&] { return heard->sent == 3; }));
  client.send(id, "two", false);
  EXPECT_TRUE(heard->wait_until([&] { return heard->sent == 6; }));
  client.send(id, "", true);
  EXPECT_TRUE(heard->wait());
  EXPECT_NE(seen.find("Transfer-Encoding: chunked"), std::string::npos) << seen;
  EXPECT_NE(seen.find("3\r\none\r\n3\r\ntwo\r\n0\r\n"), std::string::npos) << seen;
}

TEST_F(ClientTest, NoMoreOfABodyIsSentThanItsLengthSays) {
  std::string seen;
  const TestServer server([&](TestServer::Socket& socket) {
    boost::asio::read_until(socket, boost::asio::dynamic_buffer(seen), "hello");
    TestServer::write(socket, kOk);
    boost::system::error_code error;
    boost::asio::read(socket, boost::asio::dynamic_buffer(seen), error);  // until it is closed
  });
  {
    Client own({.rules = &loopback});
    const auto id = own.start(
        {.method = "PUT", .url = server.url(), .body = "hello", .body_complete = false, .length = 5}, heard);
    own.send(id, "GET / HTTP/1.1\r\n\r\n", true);
    EXPECT_TRUE(heard->wait());
  }
  EXPECT_EQ(seen.find("GET /"), std::string::npos) << seen;
}

TEST_F(ClientTest, WhatIsNotTakenHoldsUpTheRest) {
  const std::size_t length = 4U << 20U;
  const TestServer server([&](TestServer::Socket& socket) {
    TestServer::read_head(socket);
    TestServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" +
                                  std::string(length, 'x'));
  });
  const auto id = start({.url = server.url()});
  EXPECT_TRUE(heard->wait_until([&] { return heard->body.size() >= Client::kWindow; }));
  std::size_t taken = 0;
  while (taken < length) {
    EXPECT_LT(heard->body.size(), taken + Client::kWindow + (64U << 10U));
    std::size_t more = 0;
    ASSERT_TRUE(heard->wait_until([&] {
      more = heard->body.size() - taken;
      return more > 0;
    }));
    taken += more;
    client.take(id, more);
  }
  EXPECT_TRUE(heard->wait());
  EXPECT_EQ(heard->body.size(), length);
}

TEST_F(ClientTest, AnAnswerIsBrokenOffWhenNoMoreIsWanted) {
  const TestServer server([&](TestServer::Socket& socket) {
    TestServer::read_head(socket);
    TestServer::write(socket, "HTTP/1.1 200 OK\r\n\r\n");
    boost::system::error_code error;  // until it is closed
    while (!error) boost::asio::write(socket, boost::asio::buffer(std::string(10'000, 'x')), error);
  });
  heard->most = 100'000;
  start({.url = server.url()});
  EXPECT_FALSE(heard->wait());
  EXPECT_EQ(heard->status, 200U);
  EXPECT_GT(heard->body.size(), heard->most);
}

TEST_F(ClientTest, ConnectionsAreKept) {
  const TestServer server([&](TestServer::Socket& socket) {
    while (!TestServer::read_head(socket).empty()) TestServer::write(socket, kOk);
  });
  for (int i = 0; i < 3; ++i) {
    heard = std::make_shared<Heard>();
    start({.url = server.url()});
    EXPECT_TRUE(heard->wait());
  }
  EXPECT_EQ(server.connections(), 1);
  client.~Client();  // closes the connection, for which the server waits
  new (&client) Client({.rules = &loopback});
}

/// What a server gets that answers the first request of a connection and closes it when it has read the
/// second one: all but the first of them.
std::vector<std::string> methods_seen(Client& client, const std::string& method, const std::string& body,
                                      Result<void>& result) {
  std::vector<std::string> seen;
  {
    const TestServer server([&](TestServer::Socket& socket) {
      TestServer::read_head(socket);
      TestServer::write(socket, kOk);
      const auto second = TestServer::read_head(socket);
      if (second.contains(" HTTP/1.1")) seen.push_back(second.substr(0, second.find(' ')));
    });
    for (const bool first : {true, false}) {
      const auto heard = std::make_shared<Heard>();
      client.start({.method = first ? "GET" : method, .url = server.url(), .body = first ? "" : body}, heard);
      result = heard->wait();
      EXPECT_TRUE(result || !first);
    }
    client.~Client();  // closes the connection, for which the server waits
  }
  return seen;
}

TEST_F(ClientTest, WhatIsNotIdempotentIsNotSentAgainWhenAKeptConnectionCloses) {
  for (const std::string method : {"POST", "PATCH", "LOCK"})
    for (const std::string body : {"", "body"}) {
      Result<void> result;
      EXPECT_EQ(methods_seen(client, method, body, result), std::vector<std::string>{method});
      new (&client) Client({.rules = &loopback});
      ASSERT_FALSE(result) << method << " was sent again";
      EXPECT_EQ(result.error().code, OutboundErrc::broken);
      EXPECT_NE(result.error().message.find("not sent twice"), std::string::npos) << result.error().message;
    }
}

TEST_F(ClientTest, WhatIsIdempotentIsSentAgainWhenAKeptConnectionCloses) {
  for (const std::string method : {"GET", "PUT", "DELETE"}) {
    Result<void> result;
    EXPECT_EQ(methods_seen(client, method, method == "PUT" ? "body" : "", result),
              std::vector<std::string>{method});
    new (&client) Client({.rules = &loopback});
    EXPECT_TRUE(result) << method;
  }
}

TEST_F(ClientTest, ASlowServerTakesNotAllThatThereIsRoomFor) {
  std::promise<void> over;
  const auto is_over = over.get_future().share();
  const TestServer slow([&](TestServer::Socket&) { is_over.wait(); });
  const TestServer quick([&](TestServer::Socket& socket) {
    TestServer::read_head(socket);
    TestServer::write(socket, kOk);
  });
  Client some({.rules = &loopback, .most = 3, .most_of_host = 2});
  const std::vector<std::shared_ptr<Heard>> held{std::make_shared<Heard>(), std::make_shared<Heard>()};
  std::vector<Client::Id> ids;
  for (const auto& one : held) ids.push_back(some.start({.url = slow.url()}, one));
  const auto ask = [&](const std::string& url) {
    heard = std::make_shared<Heard>();
    some.start({.url = url}, heard);
    return heard->wait();
  };
  const auto refused = ask(slow.url("/other"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, OutboundErrc::busy);
  EXPECT_TRUE(ask(quick.url()));
  some.cancel(ids[0]);
  EXPECT_EQ(ask("ftp://127.0.0.1/").error().code, OutboundErrc::bad_url);  // the cancellation is obeyed
  ids[0] = some.start({.url = slow.url()}, held[0]);
  EXPECT_TRUE(ask(quick.url())) << "there was room again";
  EXPECT_FALSE(held[0]->result);
  for (const auto id : ids) some.cancel(id);
  over.set_value();
}

TEST_F(ClientTest, WhatGoesWrongHasAName) {
  const TestServer silent([&](TestServer::Socket& socket) { TestServer::read_head(socket); });
  const TestServer broken([&](TestServer::Socket& socket) {
    TestServer::read_head(socket);
    TestServer::write(socket, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  std::optional<TestServer> gone(std::in_place, [](TestServer::Socket&) {});
  const auto nobody = gone->url();
  gone.reset();
  const auto code_of = [&](const Request& request) {
    heard = std::make_shared<Heard>();
    start(request);
    const auto result = heard->wait();
    return result ? std::error_code() : result.error().code;
  };
  EXPECT_EQ(code_of({.url = nobody}), OutboundErrc::unreachable);
  EXPECT_EQ(code_of({.url = broken.url()}), OutboundErrc::broken);
  EXPECT_EQ(heard->body, "half");
  EXPECT_EQ(code_of({.url = silent.url()}), OutboundErrc::broken);
  EXPECT_EQ(code_of({.url = "ftp://127.0.0.1/"}), OutboundErrc::bad_url);
}

TEST_F(ClientTest, AnAnswerThatDoesNotComeIsNotWaitedForLongerThanItsTimeout) {
  std::promise<void> over;
  const TestServer server([&](TestServer::Socket&) { over.get_future().wait(); });
  start({.url = server.url(), .timeout = 50ms});
  const auto result = heard->wait();
  over.set_value();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, OutboundErrc::timed_out);
}

TEST_F(ClientTest, MoreThanTheMostIsRefused) {
  std::promise<void> over;
  const TestServer server([&](TestServer::Socket&) { over.get_future().wait(); });
  Client small({.rules = &loopback, .most = 1});
  const auto first = std::make_shared<Heard>();
  const auto id = small.start({.url = server.url()}, first);
  small.start({.url = server.url()}, heard);
  const auto result = heard->wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, OutboundErrc::busy);
  small.cancel(id);
  heard = std::make_shared<Heard>();
  small.start({.url = "ftp://127.0.0.1/"}, heard);  // there is room again
  EXPECT_EQ(heard->wait().error().code, OutboundErrc::bad_url);
  EXPECT_FALSE(first->result);
  over.set_value();
}

TEST(Client, WhoeverWaitsWhenItEndsIsTold) {
  std::promise<void> over;
  const TestServer server([&](TestServer::Socket&) { over.get_future().wait(); });
  const auto heard = std::make_shared<Heard>();
  {
    Client client({});
    client.start({.url = server.url()}, heard);
  }
  const auto result = heard->wait();
  over.set_value();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, OutboundErrc::stopped);
}

}  // namespace
}  // namespace mayfly::outbound
