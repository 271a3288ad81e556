#include "exec/runtime_api.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "exec/base64.h"
#include "exec/headers.h"
#include "exec/lambda_stream.h"

namespace mayfly::exec {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "/2018-06-01/runtime/";
constexpr const char* kJson = "Content-Type: application/json\r\n";

void accept(HttpConnection& connection) { connection.answer(202, kJson, R"({"status":"OK"})"); }

void refuse(HttpConnection& connection, unsigned status, const char* type, const std::string& message) {
  connection.answer(status, kJson, json{{"errorMessage", message}, {"errorType", type}}.dump());
}

/// 127.x.y.z: all of them are this machine, and 22 bits of the address are for whoever else is on it to
/// guess.
std::string random_loopback() {
  std::array<unsigned char, 3> bytes{};
  (void)!::getrandom(bytes.data(), bytes.size(), 0);
  return "127." + std::to_string(bytes[0]) + "." + std::to_string(bytes[1]) + "." +
         std::to_string(1 + bytes[2] % 254);
}

void append_header(std::string& out, const char* name, std::string_view value) {
  if (value.empty() || !is_field_value(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// What went wrong after an answer had begun.
std::optional<LambdaFailure> failure_in_trailers(const HttpRequest& request) {
  const auto type = request.trailer("lambda-runtime-function-error-type");
  const auto body = base64_decode(request.trailer("lambda-runtime-function-error-body"));
  if (type.empty() && body.empty()) return std::nullopt;
  return failure_of(body, type);
}

/// One frame of a stack: a line, or Go's {"label", "path", "line"}.
std::string frame_of(const json& frame) {
  if (!frame.is_object() || !frame.contains("path")) return text_of(frame);
  const auto part = [&](const char* key) {
    return frame.contains(key) ? text_of(frame[key]) : std::string();
  };
  return "at " + part("label") + " (" + part("path") + ":" + part("line") + ")";
}

}  // namespace

LambdaFailure failure_of(std::string_view text, std::string_view type) {
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object())
    return {std::string(type.empty() ? "Error" : type) + (text.empty() ? "" : ": ") +
                std::string(text.substr(0, 1000)),
            {}};
  const auto word = [&](const char* key) {
    const auto found = document.find(key);
    return found != document.end() && !found->is_null() ? text_of(*found) : std::string();
  };
  LambdaFailure failure;
  const auto named = word("errorType");
  failure.message = named.empty() ? std::string(type.empty() ? "Error" : type) : named;
  if (const auto message = word("errorMessage"); !message.empty()) failure.message += ": " + message;
  const auto trace = document.find("stackTrace");
  if (trace == document.end() || trace->is_null()) return failure;
  if (!trace->is_array()) {
    failure.stack = text_of(*trace);
    return failure;
  }
  for (const auto& line : *trace) {
    auto shown = frame_of(line);
    while (shown.ends_with('\n')) shown.pop_back();
    failure.stack += (failure.stack.empty() ? "" : "\n") + shown;
  }
  return failure;
}

Result<std::string> RuntimeApi::listen() {
  const auto address = random_loopback();
  const auto port = server_.listen(address);
  if (!port) return std::unexpected(port.error());
  return address + ":" + std::to_string(*port);
}

// --- Requests --------------------------------------------------------------------------------------

RuntimeApi::Route RuntimeApi::route(const HttpRequest& request) {
  const auto path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (!path.starts_with(kPrefix)) return {};
  const auto rest = path.substr(kPrefix.size());
  if (rest == "invocation/next" && request.method == "GET") return {Call::next, {}};
  if (request.method != "POST") return {};
  if (rest == "init/error") return {Call::init_error, {}};
  constexpr std::string_view kInvocation = "invocation/";
  const auto slash = rest.rfind('/');
  if (!rest.starts_with(kInvocation) || slash < kInvocation.size()) return {};
  const std::string id(rest.substr(kInvocation.size(), slash - kInvocation.size()));
  if (rest.substr(slash + 1) == "response") return {Call::response, id};
  if (rest.substr(slash + 1) == "error") return {Call::error, id};
  return {};
}

bool RuntimeApi::on_header(HttpConnection& connection, const HttpRequest& request) {
  const auto [call, id] = route(request);
  if (call != Call::response) return false;
  // Go's client says it by the content type alone.
  if (lower_case(request.field("lambda-runtime-function-response-mode")) != "streaming" &&
      !has_prelude(request.field("content-type")))
    return false;
  const auto found = running_.find(id);
  if (found == running_.end() || found->second.answered) return false;  // refused when it is complete
  found->second.answered = true;
  found->second.streams = &connection;
  streams_[&connection] = id;
  listener_.on_stream(id, request.field("content-type"));
  return true;
}

bool RuntimeApi::on_body(HttpConnection& connection, std::string_view part) {
  return listener_.on_stream_part(streams_.at(&connection), part);
}

void RuntimeApi::on_request(HttpConnection& connection, const HttpRequest& request) {
  if (const auto stream = streams_.find(&connection); stream != streams_.end()) {
    const auto id = std::move(stream->second);
    streams_.erase(stream);
    return end_stream(connection, request, id);
  }
  const auto [call, id] = route(request);
  switch (call) {
    case Call::next:
      return next(connection);
    case Call::response:
      return response(connection, request, id);
    case Call::error:
      return failure(connection, request, id);
    case Call::init_error:
      return init_error(connection, request);
    case Call::none:
      break;
  }
  refuse(connection, 404, "NotFound",
         "the Runtime API has no " + request.method + " " + request.target.substr(0, 200));
}

void RuntimeApi::on_closed(HttpConnection& connection) {
  std::erase(asking_, &connection);
  const auto stream = streams_.find(&connection);
  if (stream == streams_.end()) return;
  const auto id = std::move(stream->second);
  streams_.erase(stream);
  if (const auto found = running_.find(id); found != running_.end()) found->second.streams = nullptr;
  listener_.on_failure(
      id, {"Runtime.TruncatedResponse: the function left in the middle of its streamed answer", {}});
}

// --- Invocations -----------------------------------------------------------------------------------

void RuntimeApi::next(HttpConnection& connection) {
  if (std::ranges::any_of(running_, [](const auto& one) { return !one.second.answered; }))
    return refuse(connection, 403, "InvalidStateTransition",
                  "the invocation that was given last must be answered before the next is asked for");
  std::erase_if(running_, [](const auto& one) { return one.second.streams == nullptr; });
  initialized_ = true;
  asking_.push_back(&connection);
  listener_.on_next();
  if (waiting_.empty() || asking_.empty()) return;
  const auto event = std::move(waiting_.front());
  waiting_.pop_front();
  offer(event);
}

void RuntimeApi::offer(LambdaEvent event) {
  if (asking_.empty()) return waiting_.push_back(std::move(event));
  HttpConnection& connection = *asking_.front();
  asking_.pop_front();
  running_[event.id] = {};
  give(connection, event);
}

void RuntimeApi::give(HttpConnection& connection, const LambdaEvent& event) {
  std::string fields;
  append_header(fields, "Content-Type", event.content_type);
  append_header(fields, "Lambda-Runtime-Aws-Request-Id", event.id);
  append_header(fields, "Lambda-Runtime-Deadline-Ms", std::to_string(event.deadline));
  append_header(fields, "Lambda-Runtime-Invoked-Function-Arn", event.arn);
  append_header(fields, "Lambda-Runtime-Trace-Id", event.trace);
  connection.answer(200, fields, event.body);
}

RuntimeApi::Running* RuntimeApi::answerable(HttpConnection& connection, const std::string& id) {
  const auto found = running_.find(id);
  if (found == running_.end()) {
    refuse(connection, 400, "InvalidRequestID", "no invocation '" + id.substr(0, 100) + "' is under way");
    return nullptr;
  }
  if (!found->second.answered) return &found->second;
  refuse(connection, 403, "InvalidStateTransition", "the invocation has been answered");
  return nullptr;
}

void RuntimeApi::response(HttpConnection& connection, const HttpRequest& request, const std::string& id) {
  Running* running = answerable(connection, id);
  if (running == nullptr) return;
  running->answered = true;
  if (connection.body_too_long()) {
    listener_.on_failure(
        id, {"Function.ResponseSizeTooLarge: the answer is longer than 6 MiB, which is the limit unless "
             "it is streamed",
             {}});
    return refuse(connection, 413, "RequestEntityTooLarge",
                  "the answer is longer than " + std::to_string(kMaxAnswer) + " bytes");
  }
  if (const auto failure = failure_in_trailers(request))
    listener_.on_failure(id, *failure);
  else
    listener_.on_response(id, request.field("content-type"), request.body);
  accept(connection);
}

void RuntimeApi::failure(HttpConnection& connection, const HttpRequest& request, const std::string& id) {
  Running* running = answerable(connection, id);
  if (running == nullptr) return;
  running->answered = true;
  listener_.on_failure(id, failure_of(request.body, request.field("lambda-runtime-function-error-type")));
  accept(connection);
}

void RuntimeApi::init_error(HttpConnection& connection, const HttpRequest& request) {
  if (initialized_)
    return refuse(connection, 403, "InvalidStateTransition", "the function has been initialized");
  const auto failure = failure_of(request.body, request.field("lambda-runtime-function-error-type"));
  accept(connection);
  listener_.on_init_error(failure);
}

void RuntimeApi::end_stream(HttpConnection& connection, const HttpRequest& request, const std::string& id) {
  if (const auto found = running_.find(id); found != running_.end()) found->second.streams = nullptr;
  if (const auto failure = failure_in_trailers(request))
    listener_.on_failure(id, *failure);
  else
    listener_.on_stream_end(id);
  accept(connection);
}

void RuntimeApi::resume_stream(const std::string& id) {
  const auto found = running_.find(id);
  if (found != running_.end() && found->second.streams != nullptr) found->second.streams->resume();
}

}  // namespace mayfly::exec
