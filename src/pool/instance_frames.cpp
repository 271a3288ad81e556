// What an instance says: its frames, checked and passed on.
#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "base/ascii.h"
#include "base/fields.h"
#include "base/text.h"
#include "pool/instance.h"

namespace mayfly::pool {
namespace {

/// What an answer says of its length; 0: nothing, or nothing that is one (the gateway refuses that).
std::uint64_t announced(std::string_view headers) {
  std::uint64_t length = 0;
  for_each_field(headers, [&](std::string_view name, std::string_view value) {
    if (lower(name) != "content-length") return;
    std::from_chars(value.data(), value.data() + value.size(), length);
  });
  return length;
}

}  // namespace

void Instance::on_ready(std::uint32_t events) {
  const auto self = shared_from_this();
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read();
}

void Instance::read() {
  const auto [room, size] = decoder_.prepare();
  const ssize_t got = ::recv(data_.get(), room, size, MSG_DONTWAIT);
  if (got > 0) return on_read(static_cast<std::size_t>(got));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // The other end is closed: the process has ended, or is to.
  data_closed_ = true;
  leave();
  if (parent_gone_) return finish();
  end(KillCause::none);
}

void Instance::on_read(std::size_t bytes) {
  meter_.turn_ended();
  read_frames(bytes);
  meter_.settle();
}

void Instance::read_frames(std::size_t bytes) {
  decoder_.commit(bytes);
  for (;;) {
    const auto frame = decoder_.next();
    if (!frame) return violated("sent what is no frame");
    if (!*frame) return;
    handle(**frame);
    if (state_ == State::ended || data_closed_) return;
  }
}

void Instance::handle(const wire::Frame& frame) {
  using wire::FrameType;
  switch (frame.type) {
    case FrameType::response:
      return handle_response(frame);
    case FrameType::body:
      return handle_body(frame);
    case FrameType::credit:
      return handle_credit(frame);
    case FrameType::error:
      if (Stream* stream = find(frame.stream); stream != nullptr) {
        note_begun(*stream);
        stream->run.note(meter::Outcome::failed);
        Error error = describe_handler_error(static_cast<wire::ErrorKind>(frame.aux), frame.payload);
        // A process that the handler had started.
        if (error.message.contains("SIGKILL") && owner_.take_memory_kill())
          error = memory_error(owner_.memory_limit(), 0);
        owner_.on_failure({stream->invocation_id.data(), stream->invocation_id.size()}, error);
        if (Invocation* invocation = detach(*stream)) invocation->listener->on_failure(*invocation, error);
      }
      return;
    case FrameType::done:
      if (Stream* stream = find(frame.stream)) {
        Invocation* unanswered = detach(*stream);
        free_stream(*stream);
        if (unanswered != nullptr)
          unanswered->listener->on_failure(
              *unanswered, Error{PoolErrc::protocol_violation, "the handler ended without an answer", {}});
      }
      return;
    case FrameType::fatal:
      fatal_ = describe_fatal(static_cast<wire::FatalKind>(frame.aux), frame.payload);
      return let_go();  // who came now would be lost with it
    case FrameType::usage:
      return handle_usage(frame);
    case FrameType::pong:
      return handle_pong();
    case FrameType::call:
    case FrameType::call_body:
    case FrameType::call_credit:
    case FrameType::call_abort:
      return handle_call(frame);
    default:
      return violated("sent a frame that only the daemon sends");
  }
}

/// It broke the protocol. Nothing that it says counts any more: it is not even read.
void Instance::violated(std::string_view how) {
  fatal_ = Error{PoolErrc::protocol_violation, "the instance was ended: it " + std::string(how), {}};
  data_closed_ = true;
  leave();
  if (parent_gone_) return finish();
  end(KillCause::protocol);
}

/// The answer takes so much of its window. False: it has no window for that, and is ended: what it may send
/// is what this process may have to keep.
bool Instance::spend(Stream& stream, std::size_t bytes) {
  stream.window -= static_cast<std::int64_t>(bytes);
  if (stream.window >= 0) return true;
  violated("sent more of an answer than it has credit for");
  return false;
}

void Instance::handle_body(const wire::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr || !spend(*stream, frame.payload.size())) return;
  stream->run.record.bytes_out += frame.payload.size();
  if (stream->invocation == nullptr) return;
  if (!stream->has_head) return violated("sent a body before its head");
  if (!admit(*stream, frame.payload.size())) return;
  const bool last = frame.has(wire::kEnd);
  Invocation& invocation = last ? *answered(*stream) : *stream->invocation;
  invocation.listener->on_body(invocation, frame.payload, last);
}

void Instance::handle_credit(const wire::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return;
  if (frame.aux > stream->body_out) return violated("gave credit for more than it was sent");
  stream->body_out -= frame.aux;
  if (stream->invocation != nullptr)
    stream->invocation->listener->on_request_credit(*stream->invocation, frame.aux);
}

void Instance::handle_response(const wire::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return;
  std::string_view body;
  const auto headers = wire::parse_response_head(frame.payload, body);
  if (!headers || frame.aux < 100 || frame.aux > 999 || std::exchange(stream->has_head, true))
    return violated("sent an answer that is none");
  note_begun(*stream);
  stream->run.record.bytes_out += frame.payload.size();
  if (!spend(*stream, body.size())) return;
  stream->answer_bytes = 0;
  if (stream->invocation != nullptr && !admit(*stream, body.size())) {
    if (frame.has(wire::kDone)) free_stream(*stream);
    return;
  }
  const bool last = frame.has(wire::kEnd);
  // One that says how long it will be need not be begun in vain.
  if (!last && stream->invocation != nullptr && announced(*headers) > owner_.max_response())
    return refuse_too_large(*stream);
  Invocation* invocation = last ? answered(*stream) : stream->invocation;
  // The slot is given back first: the listener may well bring the next invocation.
  if (frame.has(wire::kDone)) free_stream(*stream);
  if (invocation != nullptr) invocation->listener->on_response(*invocation, frame.aux, *headers, body, last);
}

/// The answer grows by so many bytes. False: it is larger than it may be. Then its caller hears of it, and
/// the handler that nobody waits for it.
bool Instance::admit(Stream& stream, std::size_t bytes) {
  stream.answer_bytes += bytes;
  if (stream.answer_bytes <= owner_.max_response()) return true;
  refuse_too_large(stream);
  return false;
}

void Instance::refuse_too_large(Stream& stream) {
  const auto limit = owner_.max_response();
  const Error error = Error{
      PoolErrc::answer_too_large,
      "the answer is larger than max_response, " + format_size(limit),
      {}}.with("limit", format_size(limit));
  Invocation& invocation = *stream.invocation;
  stream.run.note(meter::Outcome::failed);
  abandon(invocation, wire::AbortReason::client);
  owner_.on_failure(invocation.id_text(), error);
  invocation.listener->on_failure(invocation, error);
}

void Instance::handle_usage(const wire::Frame& frame) {
  std::array<std::uint64_t, 4> usage{};
  if (frame.payload.size() != sizeof usage) return violated("sent a usage frame of another size");
  std::memcpy(usage.data(), frame.payload.data(), sizeof usage);
  const auto [cpu, busy, completed, children] = usage;
  const nanoseconds of_children(static_cast<std::int64_t>(children));
  if (completed > completed_) {
    const auto spent = std::max(cpu - cpu_, busy - busy_);
    owner_.on_cost(nanoseconds(spent / (completed - completed_)));
  }
  cpu_ = cpu;
  busy_ = busy;
  completed_ = completed;
  if (state_ != State::starting) return meter_.note_children(of_children);
  patience_.cancel();
  state_ = State::serving;  // the first frame says that it serves
  came_up_ = true;
  idle_since_ = came_up_at_ = std::chrono::steady_clock::now();
  const nanoseconds own(static_cast<std::int64_t>(cpu - std::min(cpu, children)));  // it says what it likes
  meter_.on_serving(pid(), own, of_children, came_up_at_);
  owner_.on_started(*this);
}

}  // namespace mayfly::pool
