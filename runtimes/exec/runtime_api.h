// The Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), version
// 2018-06-01: what a function built for a custom runtime asks for its invocations, and where it puts the
// answers.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "exec/http_server.h"

namespace mayfly::exec {

/// One invocation as the function gets it.
struct LambdaEvent {
  std::string id;
  std::int64_t deadline = 0;  ///< milliseconds since the epoch
  std::string arn;
  std::string trace;  ///< as X-Amzn-Trace-Id has it; may be empty
  std::string content_type;
  std::string body;
};

/// What a function says went wrong.
struct LambdaFailure {
  std::string message;
  std::string stack;
};

class RuntimeApiListener {
 public:
  virtual ~RuntimeApiListener() = default;
  /// The function asks for an invocation: it is up, and what it answered before is over.
  virtual void on_next() = 0;
  virtual void on_init_error(const LambdaFailure& failure) = 0;
  /// A whole answer.
  virtual void on_response(const std::string& id, std::string_view content_type, const std::string& body) = 0;
  virtual void on_failure(const std::string& id, const LambdaFailure& failure) = 0;
  /// An answer in parts. False: no more until resume_stream().
  virtual void on_stream(const std::string& id, std::string_view content_type) = 0;
  virtual bool on_stream_part(const std::string& id, std::string_view part) = 0;
  virtual void on_stream_end(const std::string& id) = 0;
};

class RuntimeApi final : private HttpHandler {
 public:
  /// What Lambda takes as an answer that is not streamed: 6 MiB and a little.
  static constexpr std::size_t kMaxAnswer = 6U * 1024 * 1024 + 100;

  RuntimeApi(Loop& loop, RuntimeApiListener& listener)
      : listener_(listener), server_(loop, *this, kMaxAnswer) {}

  /// Serves on a loopback address of its own, which nobody else on this machine can know; returns
  /// "address:port".
  [[nodiscard]] Result<std::string> listen();
  /// For who asks next.
  void offer(LambdaEvent event);
  /// After on_stream_part said false.
  void resume_stream(const std::string& id);
  /// The function has asked for an invocation at least once.
  [[nodiscard]] bool initialized() const { return initialized_; }

 private:
  enum class Call { none, next, response, error, init_error };
  struct Route {
    Call call = Call::none;
    std::string id;
  };
  struct Running {
    bool answered = false;
    HttpConnection* streams = nullptr;  // its answer comes in parts on this connection
  };

  bool on_header(HttpConnection& connection, const HttpRequest& request) override;
  bool on_body(HttpConnection& connection, std::string_view part) override;
  void on_request(HttpConnection& connection, const HttpRequest& request) override;
  void on_closed(HttpConnection& connection) override;

  [[nodiscard]] static Route route(const HttpRequest& request);
  void next(HttpConnection& connection);
  void give(HttpConnection& connection, const LambdaEvent& event);
  void response(HttpConnection& connection, const HttpRequest& request, const std::string& id);
  void failure(HttpConnection& connection, const HttpRequest& request, const std::string& id);
  void init_error(HttpConnection& connection, const HttpRequest& request);
  void end_stream(HttpConnection& connection, const HttpRequest& request, const std::string& id);
  /// Null when this invocation may not be answered; the connection has then been told why.
  Running* answerable(HttpConnection& connection, const std::string& id);

  RuntimeApiListener& listener_;
  HttpServer server_;
  std::deque<LambdaEvent> waiting_;
  std::deque<HttpConnection*> asking_;
  std::map<std::string, Running> running_;
  std::unordered_map<HttpConnection*, std::string> streams_;  // connection → invocation
  bool initialized_ = false;
};

/// "Type: message" and the stack of an error as runtimes report it: the JSON of errorMessage, errorType,
/// stackTrace. `type` is used where the JSON names none.
[[nodiscard]] LambdaFailure failure_of(std::string_view json, std::string_view type);

}  // namespace mayfly::exec
