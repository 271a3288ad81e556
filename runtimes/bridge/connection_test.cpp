#include "bridge/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <vector>

namespace mayfly::bridge {
namespace {

using wire::FrameType;

struct Recorder : Service {
  void on_request(const Request& request) override {
    stream = request.stream;
    target = request.head.target;
    headers = request.head.headers;
    body = request.body;
    more = request.more;
  }
  void on_body(std::uint32_t, std::string_view chunk, bool last) override {
    body += chunk;
    more = !last;
  }
  void on_abort(std::uint32_t, wire::AbortReason reason) override { aborted = reason; }
  void on_writable(std::uint32_t) override { ++writable; }
  void on_stop() override { ++stops; }

  std::uint32_t stream = 0;
  std::string target, headers, body;
  bool more = false;
  std::optional<wire::AbortReason> aborted;
  int writable = 0;
  int stops = 0;
};

struct Answer {
  FrameType type;
  std::uint8_t flags;
  std::uint32_t aux;
  std::string payload;
};

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    daemon = Fd(ends[0]);
    connection.emplace(Fd(ends[1]), service, log);
    connection->flush();
    const auto first = answers();
    ASSERT_EQ(first.size(), 1U);
    ASSERT_EQ(first[0].type, FrameType::usage);
  }

  void send(const wire::Frame& frame) {
    std::string bytes;
    wire::append_frame(bytes, frame);
    ASSERT_EQ(::send(daemon.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    ASSERT_TRUE(connection->read());
  }

  void invoke(std::uint32_t stream, std::string_view body, bool end = true) {
    std::string payload;
    wire::InvokeHead head;
    head.invocation = "inv";
    head.method = "POST";
    head.target = "/x";
    head.headers = std::string_view("a\0b\0", 4);
    wire::append_invoke_head(payload, head);
    payload += body;
    send({FrameType::invoke, static_cast<std::uint8_t>(end ? wire::kEnd : 0), stream, 0, payload});
  }

  /// What the instance has sent; usage is left out once it serves.
  std::vector<Answer> answers() {
    connection->flush();
    std::vector<Answer> result;
    for (;;) {
      const auto [room, size] = decoder.prepare();
      const auto got = ::recv(daemon.get(), room, size, MSG_DONTWAIT);
      if (got <= 0) return result;
      decoder.commit(static_cast<std::size_t>(got));
      while (auto frame = decoder.next().value()) {
        if (frame->type == FrameType::usage && serves) continue;
        serves = true;
        result.push_back({frame->type, frame->flags, frame->aux, std::string(frame->payload)});
      }
      connection->flush();
    }
  }

  Recorder service;
  LogSender log;
  Fd daemon;
  std::optional<Connection> connection;
  wire::FrameDecoder decoder;
  bool serves = false;
};

constexpr std::uint32_t kStream = wire::kMaxStreams;  // slot 0 of the first generation

std::string body_of(const Answer& answer) {
  std::string_view rest;
  return wire::parse_response_head(answer.payload, rest) ? std::string(rest) : "malformed";
}

TEST_F(ConnectionTest, a_request_is_given_with_its_parts) {
  invoke(kStream, "one ", false);
  EXPECT_TRUE(service.more);
  send({FrameType::body, wire::kEnd, kStream, 0, "two"});
  EXPECT_EQ(service.body, "one two");
  EXPECT_EQ(service.target, "/x");
  EXPECT_EQ(header_value(service.headers, "a"), "b");
  EXPECT_FALSE(service.more);
}

TEST_F(ConnectionTest, a_whole_answer_is_one_frame_and_frees_the_slot) {
  invoke(kStream, "");
  connection->respond(kStream, 201, std::string_view("k\0v\0", 4), "body", true);
  const auto sent = answers();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].type, FrameType::response);
  EXPECT_EQ(sent[0].flags, wire::kEnd | wire::kDone);
  EXPECT_EQ(sent[0].aux, 201U);
  EXPECT_EQ(body_of(sent[0]), "body");
  EXPECT_EQ(connection->open_streams(), 0U);
}

TEST_F(ConnectionTest, a_large_answer_waits_for_credit) {
  invoke(kStream, "");
  const std::string large(wire::kWindow + 1000, 'x');
  connection->respond(kStream, 200, {}, large, true);
  std::size_t got = 0;
  const auto begun = answers();
  std::string_view body;
  const auto headers = wire::parse_response_head(begun.at(0).payload, body);
  EXPECT_EQ(headers, std::string("content-length\0", 15) + std::to_string(large.size()) + '\0');
  for (const auto& answer : begun)
    got += answer.type == FrameType::response ? body_of(answer).size() : answer.payload.size();
  EXPECT_EQ(got, wire::kWindow);
  EXPECT_EQ(connection->open_streams(), 1U);
  send({FrameType::credit, 0, kStream, 1000, {}});
  const auto rest = answers();
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0].payload.size(), 1000U);
  EXPECT_EQ(rest[0].flags, wire::kEnd);
  EXPECT_EQ(rest[1].type, FrameType::done);
  EXPECT_EQ(connection->open_streams(), 0U);
}

TEST_F(ConnectionTest, an_answer_of_many_windows_arrives_whole_and_in_order) {
  invoke(kStream, "");
  std::string large;
  while (large.size() < 40 * wire::kWindow) large += std::to_string(large.size()) + " ";
  connection->respond(kStream, 200, {}, large, false);
  std::string got;
  bool ended = false;
  while (!ended) {
    const auto parts = answers();
    ASSERT_FALSE(parts.empty());
    std::size_t size = 0;
    for (const auto& part : parts) {
      EXPECT_FALSE(ended) << "a frame behind the end";
      const auto bytes = part.type == FrameType::response ? body_of(part) : part.payload;
      got += bytes;
      size += bytes.size();
      ended |= (part.flags & wire::kEnd) != 0;
    }
    send({FrameType::credit, 0, kStream, static_cast<std::uint32_t>(size), {}});
  }
  EXPECT_TRUE(got == large);
  EXPECT_TRUE(connection->respond_chunk(kStream, "")) << "nothing is left of it";
}

TEST_F(ConnectionTest, headers_that_are_too_long_are_an_error_of_that_answer_alone) {
  const std::string most =
      "a" + std::string(1, '\0') + std::string(wire::kMaxAnswerHeaders - 3, 'x') + std::string(1, '\0');
  invoke(kStream, "");
  connection->respond(kStream, 200, most, "body", true);
  EXPECT_EQ(answers().back().type, FrameType::response);
  invoke(kStream, "");
  connection->respond(kStream, 200, most + "x", "body", true);
  auto sent = answers();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].type, FrameType::error);
  EXPECT_EQ(sent[0].aux, static_cast<std::uint32_t>(wire::ErrorKind::header));
  EXPECT_EQ(sent[0].payload,
            std::string("the answer's headers have 131073 bytes, the limit is 131072\0", 60));
  EXPECT_EQ(sent[1].type, FrameType::done);
  EXPECT_EQ(connection->open_streams(), 0U);

  invoke(kStream, "");
  connection->respond_start(kStream, 200, most + "x");
  EXPECT_TRUE(connection->respond_chunk(kStream, std::string(2 * wire::kWindow, 'x'))) << "is let go";
  connection->respond_end(kStream);
  connection->done(kStream);
  sent = answers();
  EXPECT_EQ(sent.front().type, FrameType::error);
  EXPECT_EQ(sent.back().type, FrameType::done);
  EXPECT_EQ(connection->open_streams(), 0U);
}

TEST_F(ConnectionTest, a_stream_that_is_full_says_when_it_is_not) {
  invoke(kStream, "");
  connection->respond_start(kStream, 200, {});
  EXPECT_FALSE(connection->respond_chunk(kStream, std::string(wire::kWindow, 'x')));
  EXPECT_EQ(service.writable, 0);
  send({FrameType::credit, 0, kStream, 10, {}});
  EXPECT_EQ(service.writable, 1);
  EXPECT_TRUE(connection->respond_chunk(kStream, "y"));
  connection->respond_end(kStream);
  connection->done(kStream);
  EXPECT_EQ(answers().back().type, FrameType::done);
}

TEST_F(ConnectionTest, a_late_answer_meets_nobody) {
  invoke(kStream, "");
  connection->respond(kStream, 200, {}, "", true);
  invoke(kStream + wire::kMaxStreams, "");  // the same slot, the next generation
  (void)answers();
  connection->respond(kStream, 200, {}, "late", true);
  EXPECT_TRUE(answers().empty());
  EXPECT_EQ(connection->open_streams(), 1U);
}

TEST_F(ConnectionTest, stop_is_told_when_nothing_is_open_and_once) {
  invoke(kStream, "");
  send({FrameType::stop, 0, 0, 0, {}});
  EXPECT_EQ(service.stops, 0);
  connection->respond(kStream, 200, {}, "", true);
  EXPECT_EQ(service.stops, 1);
}

TEST_F(ConnectionTest, an_error_takes_the_place_of_what_waits) {
  invoke(kStream, "");
  connection->respond_error(kStream, wire::ErrorKind::threw, "message", "stack");
  connection->done(kStream);
  const auto sent = answers();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].payload, std::string("message\0stack", 13));
  EXPECT_EQ(sent[1].type, FrameType::done);
}

TEST_F(ConnectionTest, aborts_and_pings_are_heard) {
  invoke(kStream, "");
  send({FrameType::abort, 0, kStream, static_cast<std::uint32_t>(wire::AbortReason::deadline), {}});
  EXPECT_EQ(service.aborted, wire::AbortReason::deadline);
  send({FrameType::ping, 0, 0, 7, {}});
  const auto sent = answers();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].aux, 7U);
}

TEST_F(ConnectionTest, an_answer_that_nobody_takes_holds_no_stream) {
  invoke(kStream, "");
  connection->respond(kStream, 200, {}, std::string(wire::kWindow + 1000, 'x'), true);
  EXPECT_EQ(connection->open_streams(), 1U) << "it waits for credit";
  send({FrameType::abort, 0, kStream, static_cast<std::uint32_t>(wire::AbortReason::client), {}});
  EXPECT_EQ(connection->open_streams(), 0U);
  EXPECT_EQ(answers().back().type, FrameType::done);
  EXPECT_FALSE(service.aborted) << "the handler was done with it";

  const auto next = kStream + wire::kMaxStreams;
  invoke(next, "");
  connection->respond_start(next, 200, {});
  EXPECT_FALSE(connection->respond_chunk(next, std::string(wire::kWindow + 1, 'x')));
  send({FrameType::abort, 0, next, static_cast<std::uint32_t>(wire::AbortReason::client), {}});
  EXPECT_TRUE(service.aborted);
  EXPECT_TRUE(connection->respond_chunk(next, "more")) << "is let go";
  connection->done(next);
  EXPECT_EQ(connection->open_streams(), 0U);
}

TEST_F(ConnectionTest, a_fork_does_not_speak_for_its_parent) {
  invoke(kStream, "");
  const pid_t child = ::fork();
  if (child == 0) {
    connection->respond(kStream, 200, {}, "child", true);
    if (!connection->forked()) ::_exit(9);
    connection->flush();  // ends it
    ::_exit(8);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(connection->forked());
  EXPECT_TRUE(answers().empty());
  const pid_t other = ::fork();
  if (other == 0) connection->fatal(wire::FatalKind::exit, "5", {});
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 5) << "its exit is its own";
  connection->respond(kStream, 200, {}, "parent", true);
  const auto sent = answers();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(body_of(sent[0]), "parent");
}

TEST_F(ConnectionTest, nonsense_and_an_end_of_file_end_it) {
  std::string nonsense(64, '\xff');
  ASSERT_GT(::send(daemon.get(), nonsense.data(), nonsense.size(), 0), 0);
  EXPECT_FALSE(connection->read());
}

TEST(HeaderValue, is_found_by_whole_name) {
  const std::string_view headers("xa\0no\0a\0yes\0", 12);
  EXPECT_EQ(header_value(headers, "a"), "yes");
  EXPECT_EQ(header_value(headers, "b"), "");
  EXPECT_EQ(header_value(std::string_view("cut", 3), "cut"), "");
}

TEST_F(ConnectionTest, NothingIsSaidOfWhatWasTakenBack) {
  invoke(kStream, "");
  connection->forget(kStream);
  EXPECT_FALSE(connection->is_open(kStream));
  EXPECT_EQ(connection->open_streams(), 0U);
  EXPECT_TRUE(answers().empty());
  invoke(kStream * 2, "");  // the next one in its slot
  connection->forget(kStream);
  EXPECT_TRUE(connection->is_open(kStream * 2));
  send({FrameType::stop, 0, 0, 0, {}});
  EXPECT_EQ(service.stops, 0);
  connection->forget(kStream * 2);
  EXPECT_EQ(service.stops, 1);
}

}  // namespace
}  // namespace mayfly::bridge
