#include "pool/calls.h"

#include <array>

#include "base/ascii.h"
#include "base/fields.h"
#include "pool/own_fields.h"
#include "problem/problem.h"

namespace mayfly::pool {
namespace {

using wire::FrameType;

const SlugCategory<CallErrc, 9> kCategory("call", std::array{"depth", "not-allowed", "topic-not-allowed",
                                                             "no-events", "no-next", "missing-decorator",
                                                             "bad-call", "body-too-large", "caller-gone"});

Error too_deep() {
  const auto limit = std::to_string(kMaxDepth);
  return Error{
      CallErrc::depth, "functions called functions " + limit + " deep: one of them calls itself?", {}}
      .with("limit", limit);
}

Error body_too_large(std::uint64_t limit) {
  return Error{CallErrc::body_too_large, "the call's body is larger than the function takes", {}}.with(
      "limit", std::to_string(limit));
}

/// Another function must not be able to say who a caller is, or that it brings an event.
std::string without_own_fields(std::string_view headers) {
  std::string kept;
  for_each_field(headers, [&](std::string_view name, std::string_view value) {
    const auto folded = lower(name);
    if (!is_own_field(folded) && folded != "mayfly-event" && folded != "mayfly_event")
      append_field(kept, name, value);
  });
  return kept;
}

}  // namespace

std::error_code make_error_code(CallErrc code) { return {static_cast<int>(code), kCategory}; }

// --- Numbers -----------------------------------------------------------------------------------------

Calls::Call* Calls::find(std::uint32_t id) {
  const auto slot = wire::slot_of(id);
  return id != 0 && slot < calls_.size() && calls_[slot].id == id ? &calls_[slot] : nullptr;
}

bool Calls::takes_number(std::uint32_t id) const {
  const auto slot = wire::slot_of(id);
  return id >> wire::kSlotBits != 0 && (slot >= calls_.size() || calls_[slot].id == 0);
}

Calls::Call& Calls::take(std::uint32_t id, std::uint32_t stream) {
  const auto slot = wire::slot_of(id);
  while (calls_.size() <= slot) calls_.emplace_back().calls = this;
  Call& call = calls_[slot];
  call.id = id;
  call.stream = stream;
  const auto of = wire::slot_of(stream);
  if (of_.size() <= of) of_.resize(of + 1);
  ++of_[of];
  ++open_;
  return call;
}

/// Its number is free, and nobody hears of it any more.
void Calls::release(Call& call) {
  --of_[wire::slot_of(call.stream)];
  --open_;
  call.id = 0;
  call.service = nullptr;
  call.invocation.body.clear();
  call.invocation.chain = {};
}

void Calls::cancel(Call& call) {
  if (call.invocation.state != Invocation::State::idle) call.service->cancel(call.invocation);
  release(call);
}

void Calls::end_of(std::uint32_t stream) {
  const auto slot = wire::slot_of(stream);
  if (expired_of_ == stream) expired_of_ = 0;
  if (slot >= of_.size()) return;
  for (std::size_t i = 0; i < calls_.size() && of_[slot] > 0; ++i)
    if (calls_[i].id != 0 && calls_[i].stream == stream) cancel(calls_[i]);
}

void Calls::end_all() {
  for (std::size_t i = 0; i < calls_.size() && open_ > 0; ++i)
    if (calls_[i].id != 0) cancel(calls_[i]);
}

std::string Calls::Call::described() const {
  const bool begun = invocation.started != MonotonicTime{};
  return name + (begun || invocation.state == Invocation::State::running
                     ? ""
                     : " (which waited for a free instance: who calls keeps its own slot meanwhile)");
}

std::string Calls::waiting_text(std::uint32_t stream) const {
  std::string text = expired_of_ == stream ? "; it waited for " + expired_ : std::string();
  for (const Call& call : calls_) {
    if (call.id == 0 || call.stream != stream) continue;
    text += (text.empty() ? "; it waited for " : ", ") + call.described();
    if (text.size() > 400) return text + ", and others";
  }
  return text;
}

// --- From the instance -------------------------------------------------------------------------------

std::string_view Calls::open(const wire::Frame& frame, const wire::CallHead& head, std::string_view body,
                             const Caller* caller) {
  if (!takes_number(frame.stream)) return "opened a call under a number that is in use";
  if (body.size() > wire::kWindow) return "sent more of a call's body than it has credit for";
  if (caller == nullptr) {
    answer(frame.stream, Error{CallErrc::caller_gone, "the invocation that calls is over", {}});
    return {};
  }
  if (const auto problem = problem_with(head); !problem.empty()) {
    answer(frame.stream, Error{CallErrc::bad_call, "this cannot be called: " + std::string(problem), {}});
    return {};
  }
  if (caller->depth >= kMaxDepth) return answer(frame.stream, too_deep()), std::string_view{};
  auto callee = host_.callee(head, *caller);
  if (!callee) return answer(frame.stream, callee.error()), std::string_view{};
  if (body.size() > callee->max_request)
    return answer(frame.stream, body_too_large(callee->max_request)), std::string_view{};
  Call& call = take(frame.stream, head.caller);
  call.body_done = frame.has(wire::kEnd);
  call.invocation.event = head.kind == wire::CallKind::next ? caller->event : frame.has(wire::kEvent);
  fill(call, head, body, *caller, *callee);
  call.service->submit(call.invocation);  // which may be the end of it
  return {};
}

void Calls::fill(Call& call, const wire::CallHead& head, std::string_view body, const Caller& caller,
                 Callee& callee) {
  call.service = callee.service;
  call.own = std::move(callee.own);
  call.max_request = callee.max_request;
  call.window = wire::kWindow - body.size();
  call.received = body.size();
  call.unread = 0;
  call.name = head.kind == wire::CallKind::next ? "next" : head.name;
  call.text.assign(head.method).append(head.target).append(caller.remote);
  const std::string_view text = call.text;
  Invocation& invocation = call.invocation;
  host_.new_invocation_id(invocation.id);
  invocation.accepted = std::chrono::steady_clock::now();
  invocation.started = invocation.answered = {};
  const auto own = invocation.accepted + callee.timeout;
  const bool inherits = callee.timeout.count() == 0 || caller.deadline < own;
  invocation.deadline = inherits ? caller.deadline : own;
  invocation.deadline_owner = inherits ? caller.deadline_owner : callee.deadline_owner;
  if (inherits && invocation.deadline_owner.function.empty())
    invocation.deadline_owner = {caller.version->address(), caller.version->config.timeout};
  invocation.depth = static_cast<std::uint8_t>(caller.depth + 1);
  invocation.chain = std::move(callee.chain);
  invocation.method = text.substr(0, head.method.size());
  invocation.target = text.substr(head.method.size(), head.target.size());
  invocation.remote = text.substr(head.method.size() + head.target.size());
  invocation.scheme = caller.scheme;
  // Who calls is known from the gateway alone; what is handed on to the next was checked by it.
  invocation.headers =
      head.kind == wire::CallKind::next ? std::string(head.headers) : without_own_fields(head.headers);
  invocation.body.assign(body);
  invocation.body_complete = call.body_done;
}

std::string_view Calls::handle(const wire::Frame& frame) {
  Call* call = find(frame.stream);
  if (call == nullptr) return {};  // it has ended meanwhile
  switch (frame.type) {
    case FrameType::call_body:
      return body(*call, frame);
    case FrameType::call_credit:
      if (frame.aux > call->unread) return "gave credit for more of a call's answer than it was sent";
      call->unread -= frame.aux;
      if (call->invocation.runner != nullptr) call->invocation.runner->credit(call->invocation, frame.aux);
      return {};
    case FrameType::call_abort:
      cancel(*call);
      return {};
    default:
      return "sent a frame that only the daemon sends";
  }
}

std::string_view Calls::body(Call& call, const wire::Frame& frame) {
  if (call.body_done) return "sent a call's body beyond its end";
  if (frame.payload.size() > call.window) return "sent more of a call's body than it has credit for";
  call.window -= frame.payload.size();
  call.received += frame.payload.size();
  call.body_done = frame.has(wire::kEnd);
  if (call.received > call.max_request) {
    const auto id = call.id;
    const auto limit = call.max_request;
    cancel(call);
    answer(id, body_too_large(limit));
    return {};
  }
  Invocation& invocation = call.invocation;
  invocation.body_complete = call.body_done;
  if (invocation.state == Invocation::State::running)
    invocation.runner->send_body(invocation, frame.payload, call.body_done);
  else
    invocation.body.append(frame.payload);
  return {};
}

// --- To the instance ---------------------------------------------------------------------------------

void Calls::answer(std::uint32_t id, const Error& error) {
  const auto& row = problem::row(error.code);
  const bool open = row.message == problem::Message::open;
  std::string& out = output_.frames();
  const auto begin = wire::begin_frame(out, {FrameType::call_error, 0, id, row.status, {}});
  wire::CallErrorWriter writer(out, problem::type(error.code),
                               open ? std::string_view(error.message) : row.title);
  writer.detail("title", row.title);
  for (const auto& [name, value] : error.details)
    if (open || name == "invocation")
      writer.detail(name, std::string_view(value).substr(0, wire::kMaxChunk / 4));
  wire::end_frame(out, begin);
  output_.written();
}

void Calls::Call::on_response(Invocation&, unsigned status, std::string_view headers, std::string_view part,
                              bool end) {
  std::string& out = calls->output_.frames();
  const auto flags = static_cast<std::uint8_t>(end ? wire::kEnd : 0);
  const auto begin = wire::begin_frame(out, {FrameType::call_response, flags, id, status, {}});
  wire::append_response_head(out, headers);
  out.append(part);
  wire::end_frame(out, begin);
  unread += part.size();
  Calls& all = *calls;
  if (end) all.release(*this);
  all.output_.written();
}

void Calls::Call::on_body(Invocation&, std::string_view part, bool end) {
  const auto flags = static_cast<std::uint8_t>(end ? wire::kEnd : 0);
  wire::append_frame(calls->output_.frames(), {FrameType::call_body, flags, id, 0, part});
  unread += part.size();
  Calls& all = *calls;
  if (end) all.release(*this);
  all.output_.written();
}

void Calls::Call::on_request_credit(Invocation&, std::size_t bytes) {
  window += bytes;
  wire::append_frame(calls->output_.frames(),
                     {FrameType::call_credit, 0, id, static_cast<std::uint32_t>(bytes), {}});
  calls->output_.written();
}

void Calls::Call::on_failure(Invocation&, Error error) {
  const auto number = id;
  if (!invocation.deadline_owner.function.empty() &&
      std::chrono::steady_clock::now() >= invocation.deadline) {
    calls->expired_of_ = stream;
    calls->expired_ = described();
  }
  error.with("invocation", std::string(invocation.id_text()));
  Calls& all = *calls;
  all.release(*this);
  all.answer(number, error);
}

}  // namespace mayfly::pool
