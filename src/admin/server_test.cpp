#include "admin/server.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "base/temp_folder.h"

namespace mayfly::admin {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using namespace std::chrono_literals;

/// A client that says exactly what it is told to.
class Client {
 public:
  explicit Client(const tcp::endpoint& server) { socket_.connect(server); }
  Client& send(const std::string& text) {
    boost::system::error_code ignored;  // the server may have closed already: what it said counts
    asio::write(socket_, asio::buffer(text), ignored);
    return *this;
  }
  std::string rest() {
    boost::system::error_code end;
    asio::read(socket_, asio::dynamic_buffer(text_), end);
    return std::exchange(text_, {});
  }
  std::string until(const std::string& mark) {
    const auto size = asio::read_until(socket_, asio::dynamic_buffer(text_), mark);
    std::string part = text_.substr(0, size);
    text_.erase(0, size);
    return part;
  }
  void close() { socket_.close(); }

 private:
  asio::io_context context_;
  tcp::socket socket_{context_};
  std::string text_;
};

awaitable<Result<Response>> echo(Request& request) {
  Response response{.content_type = "text/plain", .body = request.body};
  for (const auto& [key, value] : request.query) response.body += " " + key + "=" + value;
  co_return response;
}
awaitable<Result<Response>> upload(Request& request) {
  std::ifstream file(request.upload);
  std::stringstream content;
  content << file.rdbuf();
  const auto sum = std::hash<std::string>{}(content.str());
  const nlohmann::json body = {
      {"size", request.upload_size}, {"hash", sum}, {"file", request.upload.string()}};
  co_return json_response(body);
}
awaitable<Result<Response>> bug(Request&) {
  throw std::runtime_error("a bug");
  co_return Response{};
}

struct AdminServer : testing::Test {
  void start(ServerOptions options = {}) {
    options.token = "secret";
    options.names = {"x", "test", "h", "a"};
    options.upload_folder = folder.path();
    std::vector<Route> routes;
    routes.push_back({.method = "GET",
                      .pattern = "/open",
                      .id = "",
                      .summary = "",
                      .answers = {},
                      .handler = echo,
                      .open = true});
    routes.push_back({"POST", "/json", "", "", {}, echo, {}, BodyKind::json});
    routes.push_back({"PUT", "/upload", "", "", {}, upload, {}, BodyKind::upload});
    routes.push_back({"GET", "/bug", "", "", {}, bug});
    routes.push_back({"GET", "/follow", "", "", {}, [this](Request&) { return follow(); }});
    routes.push_back({"GET", "/slow", "", "", {}, [this](Request&) { return slow(); }});
    server = std::make_unique<Server>(context, options, std::move(routes));
    where = server->listen({asio::ip::make_address("127.0.0.1"), 0}).value();
    thread = std::thread([this] { context.run(); });
  }
  void TearDown() override {
    stop(0ms);
    work.reset();
    if (thread.joinable()) thread.join();
  }
  void stop(std::chrono::milliseconds grace) {
    if (server) asio::co_spawn(context, server->stop(grace), asio::use_future).get();
  }

  /// The queue of the client that follows; to be asked for once.
  LogQueue& followed() {
    entered.get_future().wait();
    return *queue;
  }

  awaitable<Result<Response>> follow() {
    queue = std::make_shared<LogQueue>(context.get_executor());
    entered.set_value();
    co_return Response{
        .content_type = "application/x-ndjson", .body = "{\"text\":\"old\"}\n", .follow = queue};
  }
  awaitable<Result<Response>> slow() {
    entered.set_value();
    LogQueue gate(context.get_executor());
    co_await gate.next(100ms);
    co_return Response{.body = "\"done\""};
  }
  /// One request on a connection of its own.
  std::string ask(const std::string& request_line, const std::string& headers = "",
                  const std::string& body = "") {
    return Client(where).send(head(request_line, headers + "Connection: close\r\n") + body).rest();
  }
  static std::string head(const std::string& line, const std::string& headers = "") {
    return line + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n" + headers + "\r\n";
  }

  TempFolder folder;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::unique_ptr<Server> server;
  tcp::endpoint where;
  std::thread thread;
  std::promise<void> entered;
  std::shared_ptr<LogQueue> queue;
};

#define EXPECT_STATUS(answer, status) EXPECT_EQ((answer).substr(0, 12), "HTTP/1.1 " #status) << (answer)
#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(AdminServer, NeedsTheTokenButForOpenRoutes) {
  start();
  const std::string close = "Host: x\r\nConnection: close\r\n\r\n";
  EXPECT_STATUS(Client(where).send("GET /open HTTP/1.1\r\n" + close).rest(), 200);
  for (const std::string line : {"GET /bug HTTP/1.1\r\n", "GET /nowhere HTTP/1.1\r\n",
                                 "GET /bug HTTP/1.1\r\nAuthorization: Bearer wrong\r\n"}) {
    const auto answer = Client(where).send(line + close).rest();
    EXPECT_STATUS(answer, 401);
    EXPECT_HAS(answer, "WWW-Authenticate: Bearer");
    EXPECT_HAS(answer, "urn:mayfly:admin:unauthorized");
  }
}

TEST_F(AdminServer, AnswersUnknownRoutesAndMethodsWithProblems) {
  start();
  EXPECT_HAS(ask("GET /nowhere"), "urn:mayfly:admin:unknown-route");
  const auto answer = ask("DELETE /json");
  EXPECT_STATUS(answer, 405);
  EXPECT_HAS(answer, "Allow: POST\r\n");
  EXPECT_HAS(answer, "Content-Type: application/problem+json");
}

TEST_F(AdminServer, GivesBodyAndQueryToTheHandler) {
  start();
  EXPECT_HAS(ask("POST /json?a=%20b", "Content-Length: 5\r\n", "hello"), "\r\n\r\nhello a= b");
  EXPECT_HAS(ask("POST /json", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "\r\n\r\nabc");
}

TEST_F(AdminServer, KeepsTheConnectionAndServesPipelinedRequests) {
  start();
  Client client(where);
  client.send(head("GET /open?n=1") + head("POST /json", "Content-Length: 2\r\n") + "{}" +
              head("GET /open?n=3", "Connection: close\r\n"));
  const auto answers = client.rest();
  EXPECT_LT(answers.find("n=1"), answers.find("{}"));
  EXPECT_LT(answers.find("{}"), answers.find("n=3"));
  EXPECT_HAS(answers, "n=3");
}

TEST_F(AdminServer, HeadHasNoBody) {
  start();
  const auto answer = ask("HEAD /open?n=1");
  EXPECT_STATUS(answer, 200);
  EXPECT_HAS(answer, "Content-Length: 4");
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(AdminServer, RefusesWhatIsTooLarge) {
  start({.max_header = 2048});
  EXPECT_HAS(ask("POST /json", "Content-Length: 1048577\r\n"), "urn:mayfly:admin:body-too-large");
  const std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
  EXPECT_STATUS(ask("POST /json", "Transfer-Encoding: chunked\r\n", chunk + "1\r\nx\r\n0\r\n\r\n"), 413);
  EXPECT_STATUS(ask("GET /open", "", "X: " + std::string(4096, 'x') + "\r\n"), 200)
      << "that was after the header";
  EXPECT_STATUS(ask("GET /open", "X: " + std::string(4096, 'x') + "\r\n"), 431);
  EXPECT_STATUS(ask("GET /open", "Content-Length: 1\r\n", "x"), 413) << "this route takes no body";
}

TEST_F(AdminServer, RefusesWhatIsNotHttp) {
  start();
  const auto answer = Client(where).send("hello there\r\n\r\n").rest();
  EXPECT_STATUS(answer, 400);
  EXPECT_HAS(answer, "urn:mayfly:admin:bad-request");
}

TEST_F(AdminServer, StreamsAnUploadToAFileThatIsGoneAfterwards) {
  start();
  const std::string body(3'000'000, 'u');
  Client client(where);
  client.send(
      head("PUT /upload", "Expect: 100-continue\r\nConnection: close\r\nContent-Length: 3000000\r\n"));
  EXPECT_HAS(client.until("\r\n\r\n"), "100 Continue");
  const auto answer = client.send(body).rest();
  EXPECT_STATUS(answer, 200);
  const auto seen = nlohmann::json::parse(answer.substr(answer.find("\r\n\r\n")));
  EXPECT_EQ(seen["size"], body.size());
  EXPECT_EQ(seen["hash"], std::hash<std::string>{}(body));
  EXPECT_FALSE(std::filesystem::exists(seen["file"].get<std::string>()));
}

TEST_F(AdminServer, AnUploadThatBreaksOffLeavesNoFile) {
  start();
  Client client(where);
  client.send(head("PUT /upload", "Content-Length: 100000\r\n") + std::string(50'000, 'u'));
  client.close();
  stop(10s);  // comes back when the session has ended
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(AdminServer, ABugInAHandlerIsAProblemNotAnEnd) {
  start();
  const auto answer = ask("GET /bug");
  EXPECT_STATUS(answer, 500);
  EXPECT_HAS(answer, "a bug");
  EXPECT_STATUS(ask("GET /open"), 200);
}

TEST_F(AdminServer, GivesUpOnASlowHeader) {
  start({.header_timeout = 20ms});
  const auto answer = Client(where).send("GET /open HTT").rest();
  EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 408")) << answer;
}

TEST_F(AdminServer, ClosesAQuietConnection) {
  start({.idle_timeout = 20ms});
  Client client(where);
  client.send(head("GET /open"));
  EXPECT_STATUS(client.rest(), 200);  // rest() ends with the connection
}

TEST_F(AdminServer, RefusesOneConnectionTooMany) {
  start({.max_connections = 1});
  Client first(where);
  first.send(head("GET /open"));
  first.until("\r\n\r\n");
  EXPECT_HAS(Client(where).rest(), "urn:mayfly:admin:too-many-connections");
}

const std::string kStranger = "GET /open HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(AdminServer, OnlyATokenMakesAConnectionStay) {
  start({.header_timeout = 20ms, .idle_timeout = 3600s});
  Client stranger(where);
  auto answered = std::async([&] { return stranger.send(kStranger).rest(); });
  EXPECT_EQ(answered.wait_for(20s), std::future_status::ready) << "closed";
  stop(0ms);
  EXPECT_STATUS(answered.get(), 200);
}

TEST_F(AdminServer, WhoHasShownNoTokenMakesRoom) {
  start({.max_connections = 2});
  const auto trusted = [&] {
    auto client = std::make_unique<Client>(where);
    EXPECT_STATUS(client->send(head("GET /open")).until("\r\n\r\n"), 200);
    return client;
  };
  const auto first = trusted();
  Client stranger(where);
  EXPECT_STATUS(stranger.send(kStranger).until("\r\n\r\n"), 200);
  Client another(where);
  EXPECT_STATUS(another.send(kStranger).until("\r\n\r\n"), 200);
  EXPECT_EQ(stranger.rest(), "") << "the oldest has made room";
  Client wrong(where);
  wrong.send("GET /bug HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n");
  EXPECT_STATUS(wrong.until("\r\n\r\n"), 401);
  EXPECT_EQ(another.rest(), "");
  const auto last = trusted();
  wrong.rest();  // ends, too
  EXPECT_HAS(Client(where).rest(), "urn:mayfly:admin:too-many-connections");
  EXPECT_STATUS(first->send(head("GET /open?n=2")).until("\r\n\r\n"), 200);
  EXPECT_STATUS(last->send(head("GET /open?n=2")).until("\r\n\r\n"), 200);
}

TEST_F(AdminServer, FollowsALogUntilItEnds) {
  start();
  Client client(where);
  client.send(head("GET /follow"));
  EXPECT_HAS(client.until("old\"}\n\r\n"), "Transfer-Encoding: chunked");
  LogQueue& log = followed();
  log.push("{\"text\":\"new\"}");
  EXPECT_HAS(client.until("\n\r\n"), "{\"text\":\"new\"}\n");
  log.close();
  EXPECT_EQ(client.rest(), "0\r\n\r\n");
}

TEST_F(AdminServer, StopEndsFollowedLogsAndIdleConnections) {
  start();
  Client idle(where);
  idle.send(head("GET /open"));
  idle.until("\r\n\r\n");
  Client follower(where);
  follower.send(head("GET /follow"));
  follower.until("old\"}\n\r\n");
  stop(10s);
  EXPECT_EQ(follower.rest(), "0\r\n\r\n");
  EXPECT_EQ(idle.rest(), "");
}

TEST_F(AdminServer, AClientThatLeavesEndsItsQueue) {
  start();
  Client client(where);
  client.send(head("GET /follow"));
  client.until("old\"}\n\r\n");
  client.close();
  LogQueue& log = followed();
  while (log.push("x")) std::this_thread::yield();
}

TEST_F(AdminServer, StopLetsARunningRequestEnd) {
  start();
  Client client(where);
  client.send(head("GET /slow"));
  entered.get_future().wait();
  stop(10s);
  EXPECT_HAS(client.rest(), "\"done\"");
}

TEST_F(AdminServer, ListenFailsInWordsWhenThePortIsTaken) {
  start();
  Server second(context, {.token = "secret"}, {});
  const auto result = second.listen(where);
  ASSERT_FALSE(result);
  EXPECT_HAS(result.error().message, "127.0.0.1:" + std::to_string(where.port()));
}

}  // namespace
}  // namespace mayfly::admin
