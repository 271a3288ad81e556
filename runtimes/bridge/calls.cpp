#include "bridge/calls.h"

#include <algorithm>

namespace mayfly::bridge {

using wire::FrameType;

Calls::Call* Calls::find(std::uint32_t id) {
  const auto slot = wire::slot_of(id);
  return id != 0 && slot < calls_.size() && calls_[slot].id == id ? &calls_[slot] : nullptr;
}

Calls::Opened Calls::open(const wire::CallHead& head, bool event, std::string_view body, bool last) {
  if (const auto problem = wire::problem_with(head); !problem.empty()) return {0, problem};
  if (head.name.size() > wire::kMaxChunk) return {0, "its name is too long"};
  if (free_.empty() && calls_.size() == wire::kMaxCalls)
    return {0, "1024 calls are open, and no more can be in one instance"};
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(calls_.size()));
    calls_.emplace_back();
  }
  const auto slot = free_.back();
  free_.pop_back();
  Call& call = calls_[slot];
  constexpr std::uint32_t kGenerations = 1U << (32U - wire::kSlotBits);
  call.generation = (call.generation + 1) % kGenerations;
  if (call.generation == 0) call.generation = 1;
  call.id = slot | call.generation << wire::kSlotBits;
  call.caller = head.caller;
  const auto first = body.substr(0, wire::kMaxChunk);
  call.window = static_cast<std::int64_t>(wire::kWindow - first.size());
  call.pending.assign(body.substr(first.size()));
  call.ending = last;
  call.told_full = false;
  const bool whole = last && call.pending.empty();
  const auto flags = static_cast<std::uint8_t>((whole ? wire::kEnd : 0) | (event ? wire::kEvent : 0));
  const auto begin =
      wire::begin_frame(out_, {FrameType::call, flags, call.id, static_cast<std::uint32_t>(head.kind), {}});
  wire::append_call_head(out_, head);
  out_.append(first);
  wire::end_frame(out_, begin);
  if (whole) call.ending = false;
  pump(call);
  return {call.id, {}};
}

/// Sends what waits, as far as the window goes.
void Calls::pump(Call& call) {
  std::string_view rest = call.pending;
  while (!rest.empty() && call.window > 0) {
    const auto part = rest.substr(0, std::min(wire::kMaxChunk, static_cast<std::size_t>(call.window)));
    rest.remove_prefix(part.size());
    call.window -= static_cast<std::int64_t>(part.size());
    const bool last = call.ending && rest.empty();
    wire::append_frame(
        out_, {FrameType::call_body, static_cast<std::uint8_t>(last ? wire::kEnd : 0), call.id, 0, part});
    if (last) call.ending = false;
  }
  call.pending.erase(0, call.pending.size() - rest.size());
}

bool Calls::body(std::uint32_t id, std::string_view chunk) {
  Call* call = find(id);
  if (call == nullptr || chunk.empty()) return true;
  call->pending.append(chunk);
  pump(*call);
  call->told_full = !call->pending.empty() || call->window <= 0;
  return !call->told_full;
}

void Calls::end_body(std::uint32_t id) {
  Call* call = find(id);
  if (call == nullptr) return;
  if (call->pending.empty())
    wire::append_frame(out_, {FrameType::call_body, wire::kEnd, id, 0, {}});
  else
    call->ending = true;
}

void Calls::credit(std::uint32_t id, std::uint32_t bytes) {
  if (find(id) != nullptr) wire::append_frame(out_, {FrameType::call_credit, 0, id, bytes, {}});
}

void Calls::abort(std::uint32_t id) {
  Call* call = find(id);
  if (call == nullptr) return;
  wire::append_frame(out_, {FrameType::call_abort, 0, id, 0, {}});
  close(*call);
}

void Calls::close(Call& call) {
  free_.push_back(wire::slot_of(call.id));
  call.id = 0;
  call.pending = {};
  call.ending = false;
}

void Calls::end_of(std::uint32_t stream) {
  if (free_.size() == calls_.size()) return;
  for (Call& call : calls_) {
    if (call.id == 0 || call.caller != stream) continue;
    const auto id = call.id;
    close(call);
    if (service_ != nullptr)
      service_->on_call_error(id, 409,
                              {"urn:mayfly:call:caller-gone", "the invocation that calls is over", {}});
  }
}

void Calls::dispatch(const wire::Frame& frame) {
  Call* call = find(frame.stream);
  if (call == nullptr || service_ == nullptr) return;
  switch (frame.type) {
    case FrameType::call_response:
      return dispatch_response(*call, frame);
    case FrameType::call_body:
      return dispatch_body(*call, frame);
    case FrameType::call_credit:
      return dispatch_credit(*call, frame);
    case FrameType::call_error:
      if (const auto error = wire::parse_call_error(frame.payload)) {
        close(*call);
        service_->on_call_error(frame.stream, frame.aux, *error);
      }
      return;
    default:
      return;
  }
}

void Calls::dispatch_response(Call& call, const wire::Frame& frame) {
  std::string_view body;
  const auto headers = wire::parse_response_head(frame.payload, body);
  if (!headers) return;
  const bool last = frame.has(wire::kEnd);
  if (last) close(call);
  service_->on_call_response(frame.stream, frame.aux, *headers, body, last);
}

void Calls::dispatch_body(Call& call, const wire::Frame& frame) {
  const bool last = frame.has(wire::kEnd);
  if (last) close(call);
  service_->on_call_body(frame.stream, frame.payload, last);
}

void Calls::dispatch_credit(Call& call, const wire::Frame& frame) {
  call.window += frame.aux;
  pump(call);
  if (!call.told_full || !call.pending.empty() || call.window <= 0) return;
  call.told_full = false;
  service_->on_call_writable(frame.stream);
}

}  // namespace mayfly::bridge
