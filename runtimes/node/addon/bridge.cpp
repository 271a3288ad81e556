#include "bridge.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

namespace mayfly::node {
namespace {

using wire::FrameType;

/// A usage frame costs a system call; more often than this it says nothing new.
constexpr std::uint64_t kUsageInterval = 500'000;  // ns

std::uint64_t cpu_time() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(t.tv_nsec);
}

/// Nanoseconds to add to CLOCK_MONOTONIC to get the time since the epoch, which is what JavaScript counts in.
std::int64_t epoch_offset(std::uint64_t monotonic_now) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::nanoseconds(wall).count() - static_cast<std::int64_t>(monotonic_now);
}

std::string_view header_value(std::string_view headers, std::string_view name_and_nul) {
  const auto at = headers.find(name_and_nul);
  if (at == std::string_view::npos || (at > 0 && headers[at - 1] != '\0')) return {};
  const auto begin = at + name_and_nul.size();
  return headers.substr(begin, headers.find('\0', begin) - begin);
}

}  // namespace

Bridge::Bridge(napi_env env, Fd data, napi_value callbacks, bridge::LogSender& log)
    : env_(env), data_(std::move(data)), log_(log) {
  static constexpr std::array names{"onRequest", "onBody", "onAbort", "onWritable", "onStop"};
  static_assert(names.size() == kCallbacks);
  for (std::size_t i = 0; i < names.size(); ++i) {
    napi_value function = nullptr;
    napi_get_named_property(env_, callbacks, names[i], &function);
    napi_create_reference(env_, function, 1, &callbacks_[i]);
  }
  napi_create_reference(env_, callbacks, 1, &resource_);
  napi_value name = latin1(env_, "mayfly");
  napi_async_init(env_, callbacks, name, &async_context_);

  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env_, &loop);
  uv_poll_init(loop, &poll_, data_.get());  // makes the socket non-blocking
  poll_.data = this;
  want_writable(false);
  // Before the loop waits, everything that JavaScript answered outside of a batch is written.
  uv_prepare_init(loop, &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { static_cast<Bridge*>(handle->data)->flush(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  flush();
}

void Bridge::want_writable(bool on) {
  writable_wanted_ = on;
  uv_poll_start(&poll_, on ? UV_READABLE | UV_WRITABLE : UV_READABLE, [](uv_poll_t* handle, int, int events) {
    auto* bridge = static_cast<Bridge*>(handle->data);
    if ((events & UV_WRITABLE) != 0) bridge->flush();
    if ((events & UV_READABLE) != 0) bridge->on_readable();
  });
}

// --- Reading ---------------------------------------------------------------------------------------

void Bridge::on_readable() {
  const auto begin = uv_hrtime();
  epoch_offset_ = epoch_offset(begin);
  napi_handle_scope handles = nullptr;
  napi_open_handle_scope(env_, &handles);
  napi_value resource = nullptr;
  napi_get_reference_value(env_, resource_, &resource);
  napi_callback_scope scope = nullptr;
  napi_open_callback_scope(env_, resource, async_context_, &scope);
  const bool open = read_batch();
  napi_close_callback_scope(env_, scope);  // runs nextTicks and microtasks: handlers answer here
  napi_close_handle_scope(env_, handles);
  if (!open) ::_exit(0);  // the daemon is gone or wants this instance gone: nobody is left to tell
  busy_ += uv_hrtime() - begin;
  flush();
}

/// Reads what there is and dispatches it. False at the end of the connection.
bool Bridge::read_batch() {
  for (int reads = 0; reads < 4; ++reads) {  // bounded: timers must have their turn too
    const auto [room, size] = decoder_.prepare();
    const ssize_t got = ::read(data_.get(), room, size);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    decoder_.commit(static_cast<std::size_t>(got));
    for (;;) {
      const auto frame = decoder_.next();
      if (!frame) return false;
      if (!*frame) break;
      dispatch(**frame);
    }
    if (static_cast<std::size_t>(got) < size) return true;
  }
  return true;
}

void Bridge::dispatch(const wire::Frame& frame) {
  napi_handle_scope handles = nullptr;
  napi_open_handle_scope(env_, &handles);
  switch (frame.type) {
    case FrameType::invoke:
      dispatch_invoke(frame);
      break;
    case FrameType::body: {
      if (find(frame.stream) == nullptr) break;
      napi_value id = number(env_, frame.stream);
      if (!frame.payload.empty()) {
        napi_value chunk = nullptr;
        napi_create_buffer_copy(env_, frame.payload.size(), frame.payload.data(), nullptr, &chunk);
        call(on_body, {id, chunk});
      }
      if (frame.has(wire::kEnd)) call(on_body, {id, null(env_)});
      break;
    }
    case FrameType::credit:
      dispatch_credit(frame);
      break;
    case FrameType::abort:
      if (find(frame.stream) == nullptr) break;
      call(on_abort, {number(env_, frame.stream),
                      latin1(env_, static_cast<wire::AbortReason>(frame.aux) == wire::AbortReason::client
                                       ? "client"
                                       : "deadline")});
      break;
    case FrameType::ping:
      wire::append_frame(out_, {FrameType::pong, 0, 0, frame.aux, {}});
      break;
    case FrameType::stop:
      stopping_ = true;
      call(on_stop, {});
      break;
    default:
      break;  // a frame that only instances send
  }
  napi_close_handle_scope(env_, handles);
}

void Bridge::dispatch_invoke(const wire::Frame& frame) {
  std::string_view body;
  const auto head = wire::parse_invoke_head(frame.payload, body);
  if (!head) return;
  Stream& stream = open(frame.stream);
  stream.invocation.assign(head->invocation);
  const bool more = !frame.has(wire::kEnd);

  // "invocation\0deadline in ms since the epoch\0remote address\0scheme\0traceparent\0kind"
  const auto deadline_ms = (static_cast<std::int64_t>(head->deadline) + epoch_offset_) / 1'000'000;
  info_.assign(head->invocation).push_back('\0');
  info_.append(std::to_string(deadline_ms)).push_back('\0');
  info_.append(head->remote).push_back('\0');
  info_.append(head->scheme).push_back('\0');
  info_.append(header_value(head->headers, std::string_view("traceparent\0", 12))).push_back('\0');
  info_.append(frame.has(wire::kEvent) ? "event" : "http");

  napi_value chunk = undefined(env_);
  if (!body.empty()) napi_create_buffer_copy(env_, body.size(), body.data(), nullptr, &chunk);
  napi_value has_more = nullptr;
  napi_get_boolean(env_, more, &has_more);
  call(on_request, {number(env_, frame.stream), latin1(env_, head->method), latin1(env_, head->target),
                    latin1(env_, head->headers), chunk, has_more, latin1(env_, info_)});
}

void Bridge::dispatch_credit(const wire::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return;
  stream->window += frame.aux;
  pump(*stream);
  if (stream->id == frame.stream && stream->told_full && stream->pending.empty() && stream->window > 0) {
    stream->told_full = false;
    call(on_writable, {number(env_, frame.stream)});
  }
}

void Bridge::call(Callback which, std::initializer_list<napi_value> arguments) {
  napi_value function = nullptr;
  napi_value receiver = undefined(env_);
  napi_get_reference_value(env_, callbacks_[which], &function);
  napi_value result = nullptr;
  if (napi_call_function(env_, receiver, function, arguments.size(), arguments.begin(), &result) ==
      napi_pending_exception) {
    // boot.js catches what handlers throw; what comes here is a defect of its own, and goes the way of
    // an uncaught exception.
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env_, &error);
    napi_fatal_exception(env_, error);
  }
}

// --- Streams ---------------------------------------------------------------------------------------

Bridge::Stream* Bridge::find(std::uint32_t id) {
  const auto slot = wire::slot_of(id);
  if (id == 0 || slot >= slots_.size()) return nullptr;
  Stream& stream = slots_[slot];
  return stream.id == id ? &stream : nullptr;
}

Bridge::Stream& Bridge::open(std::uint32_t id) {
  const auto slot = wire::slot_of(id);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  Stream& stream = slots_[slot];
  if (stream.id == 0) ++open_streams_;
  stream.id = id;
  stream.window = wire::kWindow;
  stream.pending.clear();
  stream.head_sent = stream.ending = stream.done = stream.told_full = false;
  return stream;
}

void Bridge::finish(Stream& stream) {
  stream.id = 0;
  if (stream.pending.capacity() > wire::kMaxChunk) stream.pending = {};
  --open_streams_;
  ++completed_;
  if (stopping_ && open_streams_ == 0) call(on_stop, {});
}

/// Sends as much of `pending` as the window allows, then the end, then done.
void Bridge::pump(Stream& stream) {
  std::string_view rest = stream.pending;
  while (!rest.empty() && stream.window > 0) {
    const auto size = std::min({rest.size(), static_cast<std::size_t>(stream.window), wire::kMaxChunk});
    const bool last = stream.ending && size == rest.size();
    const auto flags = static_cast<std::uint8_t>(last ? wire::kEnd : 0);
    wire::append_frame(out_, {FrameType::body, flags, stream.id, 0, rest.substr(0, size)});
    rest.remove_prefix(size);
    stream.window -= static_cast<std::int64_t>(size);
    if (last) stream.ending = false;
  }
  stream.pending.erase(0, stream.pending.size() - rest.size());
  if (stream.pending.empty() && stream.done) {
    wire::append_frame(out_, {FrameType::done, 0, stream.id, 0, {}});
    finish(stream);
  }
}

// --- Answers ---------------------------------------------------------------------------------------

void Bridge::respond(std::uint32_t id, std::uint32_t status, napi_value headers, napi_value body, bool done) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->head_sent) return;
  stream->head_sent = true;
  const std::size_t begin = wire::begin_frame(out_, {FrameType::response, wire::kEnd, id, status, {}});
  const std::size_t headers_at = out_.size();
  wire::append_response_head(out_, {});
  append_latin1(env_, headers, out_);
  const auto headers_length = static_cast<std::uint32_t>(out_.size() - headers_at - sizeof(std::uint32_t));
  std::memcpy(out_.data() + headers_at, &headers_length, sizeof headers_length);
  const std::size_t body_at = out_.size();
  append_body(env_, body, out_);
  if (out_.size() - body_at > wire::kMaxChunk) {  // too much for one frame: the rest follows by credit
    stream->pending.assign(out_, body_at + wire::kMaxChunk);
    out_.resize(body_at + wire::kMaxChunk);
    out_[begin + 5] = 0;  // not the end
    stream->window -= static_cast<std::int64_t>(wire::kMaxChunk);
    stream->ending = true;
    stream->done = done;
    wire::end_frame(out_, begin);
    pump(*stream);
    return;
  }
  if (done) {
    out_[begin + 5] = static_cast<char>(wire::kEnd | wire::kDone);
    finish(*stream);
  }
  wire::end_frame(out_, begin);
}

void Bridge::respond_start(std::uint32_t id, std::uint32_t status, napi_value headers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->head_sent) return;
  stream->head_sent = true;
  std::string text;
  append_latin1(env_, headers, text);
  const std::size_t begin = wire::begin_frame(out_, {FrameType::response, 0, id, status, {}});
  wire::append_response_head(out_, text);
  wire::end_frame(out_, begin);
}

bool Bridge::respond_chunk(std::uint32_t id, napi_value chunk) {
  Stream* stream = find(id);
  if (stream == nullptr) return true;
  append_body(env_, chunk, stream->pending);
  pump(*stream);
  stream->told_full = !stream->pending.empty() || stream->window <= 0;
  return !stream->told_full;
}

void Bridge::respond_end(std::uint32_t id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  if (stream->pending.empty())
    wire::append_frame(out_, {FrameType::body, wire::kEnd, id, 0, {}});
  else
    stream->ending = true;
}

void Bridge::respond_error(std::uint32_t id, wire::ErrorKind kind, napi_value message, napi_value stack) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->pending.clear();
  stream->ending = false;
  const auto text = utf8(env_, message).substr(0, wire::kMaxChunk / 2) + '\0' + utf8(env_, stack);
  wire::append_frame(out_, {FrameType::error, 0, id, static_cast<std::uint32_t>(kind),
                            std::string_view(text).substr(0, wire::kMaxChunk)});
}

void Bridge::request_credit(std::uint32_t id, std::uint32_t bytes) {
  if (find(id) != nullptr) wire::append_frame(out_, {FrameType::credit, 0, id, bytes, {}});
}

void Bridge::done(std::uint32_t id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->done = true;
  pump(*stream);
}

void Bridge::fatal(wire::FatalKind kind, const std::string& message, const std::string& stack) {
  const auto text = message.substr(0, wire::kMaxChunk / 2) + '\0' + stack.substr(0, wire::kMaxChunk / 2);
  wire::append_frame(out_, {FrameType::fatal, 0, 0, static_cast<std::uint32_t>(kind), text});
  // The last words may wait for the daemon to read, but not for ever.
  const auto until = uv_hrtime() + 1'000'000'000U;
  while (!out_.empty() && uv_hrtime() < until) {
    flush();
    log_.flush();
    pollfd writable{data_.get(), POLLOUT, 0};
    if (!out_.empty()) ::poll(&writable, 1, 100);
  }
  ::_exit(kind == wire::FatalKind::exit ? std::atoi(message.c_str()) : 1);
}

void Bridge::log(wire::LogLevel level, std::string_view text, std::uint32_t full_length, std::uint32_t id) {
  const Stream* stream = find(id);
  log_.log({level, stream != nullptr ? std::string_view(stream->invocation) : std::string_view{}, text,
            full_length, 0});
}

// --- Writing ---------------------------------------------------------------------------------------

void Bridge::append_usage() {
  const auto now = uv_hrtime();
  if (usage_sent_at_ != 0 && (completed_ == usage_sent_completed_ || now - usage_sent_at_ < kUsageInterval))
    return;
  usage_sent_at_ = now;
  usage_sent_completed_ = completed_;
  const std::array<std::uint64_t, 3> usage{cpu_time(), busy_, completed_};
  wire::append_frame(
      out_, {FrameType::usage, 0, 0, 0, {reinterpret_cast<const char*>(usage.data()), sizeof usage}});
}

void Bridge::flush() {
  if (log_.waiting()) log_.flush();
  if (out_.empty() && usage_sent_at_ != 0) return;
  append_usage();  // the first one, sent before anything else, says that this instance serves
  std::string_view rest = out_;
  while (!rest.empty()) {
    const ssize_t sent = ::send(data_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) ::_exit(0);  // the daemon is gone
    if (sent < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  out_.erase(0, out_.size() - rest.size());
  if (writable_wanted_ == out_.empty()) want_writable(!out_.empty());
}

}  // namespace mayfly::node
