#include "daemon/one_invocation.h"

#include "base/ascii.h"
#include "base/fields.h"
#include "pool/failure.h"

namespace mayfly::daemon {

OneInvocation::OneInvocation(admin::InvokeRequest r, Then then)
    : request(std::move(r)), then_(std::move(then)) {}

void OneInvocation::begin(MonotonicTime now, std::chrono::milliseconds timeout) {
  self_ = shared_from_this();
  invocation.accepted = now;
  invocation.deadline = now + timeout;
  invocation.event = request.event;
  invocation.method = request.method;
  invocation.target = request.target;
  invocation.remote = "127.0.0.1";
  bool has_length = false;
  bool has_host = false;
  for (const auto& [name, value] : request.headers) {
    const auto folded = lower(name);
    has_length |= folded == "content-length";
    has_host |= folded == "host";
    append_field(invocation.headers, folded, value);
  }
  if (!has_host) append_field(invocation.headers, "host", "localhost");
  if (!has_length && !request.body.empty())
    append_field(invocation.headers, "content-length", std::to_string(request.body.size()));
  invocation.body = request.body.substr(0, wire::kWindow);
  rest_ = request.body.size() > wire::kWindow ? request.body.substr(wire::kWindow) : std::string();
  invocation.body_complete = rest_.empty();
}

void OneInvocation::fail(Error error) { finish(std::unexpected(std::move(error))); }

void OneInvocation::leave() {
  if (!self_) return;  // it is over, or has failed before it began
  if (service != nullptr) service->cancel(invocation);
  fail(Error{pool::PoolErrc::answer_broken, "the client has left", {}});
}

void OneInvocation::finish(Result<admin::InvokeAnswer> answer) {
  const auto self = std::exchange(self_, nullptr);
  if (then_) std::exchange(then_, {})(std::move(answer));
}

void OneInvocation::on_response(pool::Invocation&, unsigned status, std::string_view headers,
                                std::string_view body, bool end) {
  answer_.status = status;
  for_each_field(headers, [&](std::string_view name, std::string_view value) {
    answer_.headers.emplace_back(name, value);
  });
  answer_.headers.emplace_back("mayfly-invocation", invocation.id_text());
  on_body(invocation, body, end);
}

void OneInvocation::on_body(pool::Invocation&, std::string_view body, bool end) {
  if (answer_.body.size() + body.size() > kMaxBody) {
    if (invocation.runner != nullptr) invocation.runner->abandon(invocation, wire::AbortReason::client);
    return fail(Error{pool::PoolErrc::answer_broken, "the answer is longer than 64 MiB", {}}.with(
        "limit", std::to_string(kMaxBody)));
  }
  answer_.body.append(body);
  if (end) return finish(std::move(answer_));
  if (!body.empty() && invocation.runner != nullptr) invocation.runner->credit(invocation, body.size());
}

void OneInvocation::on_request_credit(pool::Invocation&, std::size_t bytes) {
  if (rest_sent_ == rest_.size()) return;
  const auto part = std::string_view(rest_).substr(rest_sent_, bytes);
  rest_sent_ += part.size();
  invocation.runner->send_body(invocation, part, rest_sent_ == rest_.size());
}

void OneInvocation::on_failure(pool::Invocation&, Error error) {
  error.with("invocation", std::string(invocation.id_text()));
  finish(std::unexpected(std::move(error)));
}

}  // namespace mayfly::daemon
