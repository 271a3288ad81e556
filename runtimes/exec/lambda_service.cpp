#include "exec/lambda_service.h"

#include <unistd.h>

#include <csignal>
#include <unordered_map>
#include <vector>

#include "base/reap.h"
#include "bridge/connection.h"
#include "exec/bootstrap.h"
#include "exec/headers.h"
#include "exec/lambda_event.h"
#include "exec/lambda_records.h"
#include "exec/lambda_stream.h"
#include "exec/runtime_api.h"

namespace mayfly::exec {
namespace {

class LambdaService final : public bridge::Service, private RuntimeApiListener {
 public:
  LambdaService(Loop& loop, const Configuration& configuration, bridge::LogSender& log)
      : configuration_(configuration),
        log_(log),
        api_(loop, *this),
        bootstrap_(loop,
                   {.line = [this](std::string_view text, std::size_t length) { log_line(text, length); },
                    .ended = [this](const ExitStatus& status) { on_end(status); }}) {}

  void start(bridge::Connection& connection) {
    connection_ = &connection;
    const auto address = api_.listen();
    if (!address) connection.fatal(wire::FatalKind::uncaught, address.error().message, {});
    if (const auto started = bootstrap_.start(configuration_, *address); !started)
      connection.fatal(wire::FatalKind::uncaught, started.error().message, {});
    connection.count_child(bootstrap_.pid());
  }
  /// It serves once it is up: until then it is the daemon's to wait, or to start another.
  [[nodiscard]] bool serves() const { return api_.initialized(); }
  [[nodiscard]] bool stopping() const { return stopping_; }

  // --- From the daemon
  void on_request(const bridge::Request& request) override;
  void on_body(std::uint32_t stream, std::string_view chunk, bool last) override;
  void on_abort(std::uint32_t stream, wire::AbortReason) override;
  void on_writable(std::uint32_t stream) override;
  void on_stop() override { stopping_ = true; }

 private:
  struct Invocation {
    std::uint32_t stream = 0;
    // The request, while its body is not complete.
    std::string remote, scheme, method, target, headers;
    std::uint64_t deadline = 0;
    std::string body;
    bool event = false;
    std::vector<std::string> messages;  // of a batch: their ids
    bool no_body = false;               // HEAD
    bool offered = false;
    bool answered = false;  // what is left is the function's own time until it asks for the next
    bool aborted = false;   // nobody wants the answer
    LambdaStream streamed;
  };

  // --- From the function
  void on_next() override;
  void on_init_error(const LambdaFailure& failure) override;
  void on_response(const std::string& id, std::string_view content_type, const std::string& body) override;
  void on_failure(const std::string& id, const LambdaFailure& failure) override;
  void on_stream(const std::string& id, std::string_view content_type) override;
  bool on_stream_part(const std::string& id, std::string_view part) override;
  void on_stream_end(const std::string& id) override;
  void on_end(const ExitStatus& status);

  void offer(const std::string& id, Invocation& invocation);
  [[nodiscard]] static Result<std::string> event_for(const std::string& id, Invocation& invocation);
  void log_line(std::string_view text, std::size_t length);
  Invocation* find(const std::string& id);
  Invocation* find(std::uint32_t stream);
  void fail(Invocation& invocation, const LambdaFailure& failure, bool answer_is_none = false);
  bool send_stream(Invocation& invocation);
  void hold_stream(Invocation& invocation);

  const Configuration& configuration_;
  bridge::LogSender& log_;
  RuntimeApi api_;
  Bootstrap bootstrap_;
  bridge::Connection* connection_ = nullptr;
  std::unordered_map<std::string, Invocation> open_;  // by id
  bool stopping_ = false;
};

LambdaService::Invocation* LambdaService::find(const std::string& id) {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

LambdaService::Invocation* LambdaService::find(std::uint32_t stream) {
  return find(std::string(connection_->invocation(stream)));
}

// --- Requests --------------------------------------------------------------------------------------

void LambdaService::on_request(const bridge::Request& request) {
  const std::string id(request.head.invocation);
  Invocation& invocation = open_[id];
  invocation.stream = request.stream;
  invocation.remote = request.head.remote;
  invocation.scheme = request.head.scheme;
  invocation.method = request.head.method;
  invocation.target = request.head.target;
  invocation.headers = request.head.headers;
  invocation.deadline = request.head.deadline;
  invocation.event = request.event;
  invocation.no_body = request.head.method == "HEAD";
  on_body(request.stream, request.body, !request.more);
}

void LambdaService::on_body(std::uint32_t stream, std::string_view chunk, bool last) {
  Invocation* invocation = find(stream);
  if (invocation == nullptr || invocation->offered) return;
  invocation->body.append(chunk);
  if (last) return offer(std::string(connection_->invocation(stream)), *invocation);
  if (!chunk.empty()) connection_->request_credit(stream, static_cast<std::uint32_t>(chunk.size()));
}

void LambdaService::offer(const std::string& id, Invocation& invocation) {
  invocation.offered = true;
  const auto offset = bridge::epoch_offset(bridge::monotonic_now());
  LambdaEvent event;
  event.id = id;
  event.deadline = (static_cast<std::int64_t>(invocation.deadline) + offset) / 1'000'000;
  event.arn = "arn:aws:lambda:us-east-1:000000000000:function:" + configuration_.function + ":" +
              configuration_.version;
  event.trace = trace_of(invocation.headers);
  event.content_type = "application/json";
  auto body = event_for(id, invocation);
  if (!body) {
    fail(invocation, {body.error().message, {}});
    connection_->done(invocation.stream);
    open_.erase(id);
    return;
  }
  event.body = std::move(*body);
  invocation.body = {};
  invocation.headers = {};
  api_.offer(std::move(event));
}

/// As the function gets it. An error: what was delivered is none of docs/wire.md.
Result<std::string> LambdaService::event_for(const std::string& id, Invocation& invocation) {
  const wire::InvokeHead head{.deadline = invocation.deadline,
                              .invocation = id,
                              .remote = invocation.remote,
                              .scheme = invocation.scheme,
                              .method = invocation.method,
                              .target = invocation.target,
                              .headers = invocation.headers};
  if (!invocation.event) return event_of(head, invocation.body);
  const auto kind = bridge::header_value(invocation.headers, "mayfly-event");
  if (kind == "schedule") return scheduled_event(invocation.body, id);
  if (kind != "queue") return invocation.body.empty() ? "{}" : std::move(invocation.body);
  auto records = records_of(invocation.body);
  if (!records) return propagate(records);
  invocation.messages = std::move(records->ids);
  return std::move(records->event);
}

void LambdaService::on_abort(std::uint32_t stream, wire::AbortReason) {
  Invocation* invocation = find(stream);
  if (invocation == nullptr) return;
  // Nothing of the Runtime API can tell the function. After the deadline the daemon ends this instance.
  invocation->aborted = true;
  const std::string id(connection_->invocation(stream));
  if (!invocation->offered) {
    connection_->done(stream);
    open_.erase(id);
    return;
  }
  api_.resume_stream(id);
}

void LambdaService::on_writable(std::uint32_t stream) {
  if (find(stream) != nullptr) api_.resume_stream(std::string(connection_->invocation(stream)));
}

// --- Answers ---------------------------------------------------------------------------------------

void LambdaService::on_next() {
  // What it leaves running between invocations is its own, as on Lambda; what has ended has no parent but us.
  reap_strays([this](pid_t pid) { return pid != bootstrap_.pid(); });
  for (auto one = open_.begin(); one != open_.end();) {
    if (!one->second.answered) {
      ++one;
      continue;
    }
    connection_->done(one->second.stream);
    one = open_.erase(one);
  }
}

void LambdaService::on_response(const std::string& id, std::string_view, const std::string& body) {
  Invocation* invocation = find(id);
  if (invocation == nullptr) return;
  invocation->answered = true;
  if (invocation->event) {
    const auto& messages = invocation->messages;
    const auto told = messages.empty() ? Result<std::string>(body) : batch_answer(body, messages);
    if (!told) return fail(*invocation, {told.error().message, {}});
    std::string headers;
    append_field(headers, "content-type", "application/json");
    return connection_->respond(invocation->stream, 200, headers, *told, false);
  }
  const auto answer = answer_of(body);
  if (!answer) return fail(*invocation, {answer.error().message, {}}, true);
  const bool bare = invocation->no_body || answer->status == 204 || answer->status == 304;
  connection_->respond(invocation->stream, answer->status, answer->headers,
                       bare ? std::string_view{} : std::string_view(answer->body), false);
}

void LambdaService::fail(Invocation& invocation, const LambdaFailure& failure, bool answer_is_none) {
  invocation.answered = true;
  const bool broken = answer_is_none || connection_->has_head(invocation.stream);
  connection_->respond_error(invocation.stream, broken ? wire::ErrorKind::stream : wire::ErrorKind::threw,
                             failure.message, failure.stack);
}

void LambdaService::on_failure(const std::string& id, const LambdaFailure& failure) {
  if (Invocation* invocation = find(id)) fail(*invocation, failure);
}

void LambdaService::on_stream(const std::string& id, std::string_view content_type) {
  if (Invocation* invocation = find(id)) invocation->streamed = LambdaStream(content_type);
}

bool LambdaService::on_stream_part(const std::string& id, std::string_view part) {
  Invocation* invocation = find(id);
  if (invocation == nullptr || invocation->aborted || invocation->answered) return true;
  invocation->streamed.take(part, false);
  if (invocation->messages.empty()) return send_stream(*invocation);
  hold_stream(*invocation);
  return true;
}

void LambdaService::on_stream_end(const std::string& id) {
  Invocation* invocation = find(id);
  if (invocation == nullptr || invocation->answered) return;
  invocation->streamed.take({}, true);
  if (!invocation->messages.empty()) {
    hold_stream(*invocation);
    if (!invocation->answered) on_response(id, {}, invocation->streamed.take_body());
    return;
  }
  (void)send_stream(*invocation);
  if (invocation->answered) return;
  invocation->answered = true;
  connection_->respond_end(invocation->stream);
}

/// What can be sent of a streamed answer. False when the client must take some of it first.
bool LambdaService::send_stream(Invocation& invocation) {
  auto& streamed = invocation.streamed;
  if (const auto& mistake = streamed.mistake(); !mistake.empty()) {
    fail(invocation, {mistake, {}}, true);
    return true;
  }
  if (!streamed.has_head()) return true;
  if (!connection_->has_head(invocation.stream))
    connection_->respond_start(invocation.stream, streamed.head().status, streamed.head().headers);
  const auto body = streamed.take_body();
  if (body.empty() || invocation.no_body) return true;
  return connection_->respond_chunk(invocation.stream, body);
}

/// What a batch is answered with says which messages are to come again: it is read as a whole, and no longer
/// than one that is not streamed.
void LambdaService::hold_stream(Invocation& invocation) {
  if (const auto& mistake = invocation.streamed.mistake(); !mistake.empty())
    return fail(invocation, {mistake, {}}, true);
  if (invocation.streamed.held() > RuntimeApi::kMaxAnswer)
    fail(invocation,
         {"Function.ResponseSizeTooLarge: the answer to a batch is longer than 6 MiB, streamed or not", {}});
}

// --- The process -----------------------------------------------------------------------------------

void LambdaService::log_line(std::string_view text, std::size_t length) {
  // A function that has one invocation at a time writes for that one.
  const auto stream = open_.size() == 1 ? open_.begin()->second.stream : 0;
  connection_->log(wire::LogLevel::info, text, static_cast<std::uint32_t>(length), stream);
}

void LambdaService::on_init_error(const LambdaFailure& failure) {
  connection_->fatal(wire::FatalKind::uncaught, failure.message, failure.stack);
}

void LambdaService::on_end(const ExitStatus& status) {
  if (!api_.initialized())
    connection_->fatal(wire::FatalKind::uncaught,
                       "'" + configuration_.entry_name() + "' ended with " + describe(status) +
                           " before it asked for an invocation",
                       bootstrap_.last_words());
  if (status.how == ExitStatus::How::exited)
    connection_->fatal(wire::FatalKind::exit, std::to_string(status.value), {});
  // This process ends as the function did: the daemon has words for each signal.
  connection_->drain();
  log_.flush();
  std::signal(status.value, SIG_DFL);
  ::raise(status.value);
  ::_exit(1);
}

}  // namespace

void serve_lambda(const Configuration& configuration, Fd data, bridge::LogSender& log) {
  Loop loop;
  LambdaService service(loop, configuration, log);
  bridge::Connection connection(std::move(data), service, log);
  service.start(connection);
  loop.serve(connection, [&] { return service.serves(); }, [&] { return service.stopping(); });
}

}  // namespace mayfly::exec
