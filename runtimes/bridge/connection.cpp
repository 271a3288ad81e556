#include "bridge/connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "base/cpu_clock.h"
#include "base/fields.h"

namespace mayfly::bridge {
namespace {

using wire::FrameType;

/// A usage frame costs a system call; more often than this it says nothing new.
constexpr std::uint64_t kUsageInterval = 500'000;  // ns
/// Bytes that the buffer of what is written keeps when it is empty.
constexpr std::size_t kKeptBuffer = 1U << 20U;
/// So long a process that leaves waits for its lines to be taken.
constexpr std::chrono::milliseconds kLogPatience{1'000};
/// Last words may wait for the daemon to read, but not for ever.
constexpr std::uint64_t kLastWordsPatience = 10'000'000'000;  // ns

std::uint64_t in_nanoseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_usec) * 1'000U;
}

/// Of this process.
std::uint64_t own_cpu_time() {
  timespec own{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  return static_cast<std::uint64_t>(own.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(own.tv_nsec);
}

/// Of its children that have ended and were waited for.
std::uint64_t childrens_cpu_time() {
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  return in_nanoseconds(children.ru_utime) + in_nanoseconds(children.ru_stime);
}

}  // namespace

std::uint64_t monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

std::int64_t epoch_offset(std::uint64_t monotonic_now) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::nanoseconds(wall).count() - static_cast<std::int64_t>(monotonic_now);
}

std::string_view header_value(std::string_view headers, std::string_view name) {
  while (!headers.empty()) {
    const auto name_end = headers.find('\0');
    if (name_end == std::string_view::npos) return {};
    const auto value_end = headers.find('\0', name_end + 1);
    if (value_end == std::string_view::npos) return {};
    if (headers.substr(0, name_end) == name) return headers.substr(name_end + 1, value_end - name_end - 1);
    headers.remove_prefix(value_end + 1);
  }
  return {};
}

Connection::Connection(Fd data, Service& service, LogSender& log) : service_(service), log_(log) {
  if (data) open(std::move(data));
}

void Connection::open(Fd data) {
  data_ = std::move(data);
  ::fcntl(data_.get(), F_SETFL, ::fcntl(data_.get(), F_GETFL) | O_NONBLOCK);
}

void Connection::in_child(void* self) {
  auto& connection = *static_cast<Connection*>(self);
  connection.data_.reset();
  connection.log_.forget();
}

// --- Reading ---------------------------------------------------------------------------------------

bool Connection::read() {
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

void Connection::dispatch(const wire::Frame& frame) {
  switch (frame.type) {
    case FrameType::invoke:
      return dispatch_invoke(frame);
    case FrameType::body:
      if (find(frame.stream) != nullptr) service_.on_body(frame.stream, frame.payload, frame.has(wire::kEnd));
      return;
    case FrameType::credit:
      return dispatch_credit(frame);
    case FrameType::abort:
      return dispatch_abort(frame);
    case FrameType::ping:
      return wire::append_frame(out_, {FrameType::pong, 0, 0, frame.aux, {}});
    case FrameType::stop:
      stopping_ = true;
      if (open_streams_ == 0) service_.on_stop();
      return;
    case FrameType::call_response:
    case FrameType::call_body:
    case FrameType::call_credit:
    case FrameType::call_error:
      return calls_.dispatch(frame);
    default:
      return;  // a frame that only instances send
  }
}

void Connection::dispatch_invoke(const wire::Frame& frame) {
  std::string_view body;
  const auto head = wire::parse_invoke_head(frame.payload, body);
  if (!head) return;
  Stream& stream = open(frame.stream);
  stream.invocation.assign(head->invocation);
  service_.on_request({frame.stream, *head, body, !frame.has(wire::kEnd), frame.has(wire::kEvent)});
}

/// What waits for credit waits for ever: it is let go, and with it a stream that waits for nothing else.
void Connection::dispatch_abort(const wire::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return;
  stream->aborted = true;
  const bool over = stream->done;
  pump(*stream);
  if (!over) service_.on_abort(frame.stream, static_cast<wire::AbortReason>(frame.aux));
  calls_.end_of(frame.stream);
}

void Connection::dispatch_credit(const wire::Frame& frame) {
  Stream* stream = find(frame.stream);
  if (stream == nullptr) return;
  stream->window += frame.aux;
  pump(*stream);
  if (stream->id == frame.stream && stream->told_full && stream->pending.empty() && stream->window > 0) {
    stream->told_full = false;
    service_.on_writable(frame.stream);
  }
}

// --- Streams ---------------------------------------------------------------------------------------

const Connection::Stream* Connection::find(std::uint32_t id) const {
  const auto slot = wire::slot_of(id);
  if (id == 0 || slot >= slots_.size() || slots_[slot].id != id) return nullptr;
  return &slots_[slot];
}

Connection::Stream* Connection::find(std::uint32_t id) {
  return const_cast<Stream*>(std::as_const(*this).find(id));
}

Connection::Stream& Connection::open(std::uint32_t id) {
  const auto slot = wire::slot_of(id);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  Stream& stream = slots_[slot];
  if (stream.id == 0) ++open_streams_;
  stream.id = id;
  stream.window = wire::kWindow;
  stream.pending.clear();
  stream.sent = 0;
  stream.head_sent = stream.ending = stream.done = stream.told_full = stream.aborted = false;
  return stream;
}

void Connection::finish(Stream& stream) {
  ++completed_;
  close(stream);
}

void Connection::close(Stream& stream) {
  calls_.end_of(std::exchange(stream.id, 0));
  if (stream.pending.capacity() > wire::kMaxChunk) stream.pending = {};
  --open_streams_;
  if (stopping_ && open_streams_ == 0) service_.on_stop();
}

/// So much of `pending` is sent. It moves up only when half of it is: at every credit an answer of 100 MB
/// would be copied a thousand times.
void Connection::advance(Stream& stream, std::size_t sent) {
  stream.sent += sent;
  if (2 * stream.sent < stream.pending.size()) return;
  stream.pending.erase(0, stream.sent);
  stream.sent = 0;
}

/// Sends as much of `pending` as the window allows, then the end, then done.
void Connection::pump(Stream& stream) {
  if (stream.aborted) advance(stream, stream.pending.size() - stream.sent);
  std::string_view rest = std::string_view(stream.pending).substr(stream.sent);
  const auto waiting = rest.size();
  while (!rest.empty() && stream.window > 0) {
    const auto size = std::min({rest.size(), static_cast<std::size_t>(stream.window), wire::kMaxChunk});
    const bool last = stream.ending && size == rest.size();
    const auto flags = static_cast<std::uint8_t>(last ? wire::kEnd : 0);
    wire::append_frame(out_, {FrameType::body, flags, stream.id, 0, rest.substr(0, size)});
    rest.remove_prefix(size);
    stream.window -= static_cast<std::int64_t>(size);
    if (last) stream.ending = false;
  }
  advance(stream, waiting - rest.size());
  if (stream.pending.empty() && stream.done) {
    wire::append_frame(out_, {FrameType::done, 0, stream.id, 0, {}});
    finish(stream);
  }
}

std::string_view Connection::invocation(std::uint32_t id) const {
  const Stream* stream = find(id);
  return stream != nullptr ? std::string_view(stream->invocation) : std::string_view{};
}

bool Connection::has_head(std::uint32_t id) const {
  const Stream* stream = find(id);
  return stream != nullptr && stream->head_sent;
}

// --- Answers ---------------------------------------------------------------------------------------

void Connection::respond(std::uint32_t id, std::uint32_t status, std::string_view headers,
                         std::string_view body, bool done) {
  std::string* out = begin_response(id, status);
  if (out == nullptr) return;
  out->append(headers);
  begin_body();
  out->append(body);
  end_response(done);
}

std::string* Connection::begin_response(std::uint32_t id, std::uint32_t status) {
  answering_ = find(id);
  if (answering_ == nullptr || answering_->head_sent) return nullptr;
  answering_->head_sent = true;
  frame_at_ = wire::begin_frame(out_, {FrameType::response, wire::kEnd, id, status, {}});
  headers_at_ = out_.size();
  wire::append_response_head(out_, {});
  return &out_;
}

void Connection::begin_body() {
  const auto length = static_cast<std::uint32_t>(out_.size() - headers_at_ - sizeof(std::uint32_t));
  std::memcpy(out_.data() + headers_at_, &length, sizeof length);
  body_at_ = out_.size();
}

/// What says how long an answer will be that is known as a whole and sent in parts: too long for its
/// function, it is refused before it begins. Empty if the answer says so itself.
static std::string length_field(std::string_view headers, std::size_t length) {
  std::string field;
  if (header_value(headers, "content-length").empty())
    append_field(field, "content-length", std::to_string(length));
  return field;
}

void Connection::end_response(bool done) {
  constexpr std::size_t kFlags = 5;  // of a frame's header
  Stream& stream = *answering_;
  const auto headers = body_at_ - headers_at_ - sizeof(std::uint32_t);
  if (headers > wire::kMaxAnswerHeaders) {
    out_.resize(frame_at_);
    refuse_headers(stream, headers);
    if (done) this->done(stream.id);
    return;
  }
  if (out_.size() - body_at_ > wire::kMaxChunk) {  // too much for one frame: the rest follows by credit
    const auto length =
        length_field(std::string_view(out_).substr(body_at_ - headers, headers), out_.size() - body_at_);
    out_.insert(body_at_, length);
    body_at_ += length.size();
    const auto all = static_cast<std::uint32_t>(headers + length.size());
    std::memcpy(out_.data() + headers_at_, &all, sizeof all);
    stream.pending.assign(out_, body_at_ + wire::kMaxChunk);
    out_.resize(body_at_ + wire::kMaxChunk);
    out_[frame_at_ + kFlags] = 0;  // not the end
    stream.window -= static_cast<std::int64_t>(wire::kMaxChunk);
    stream.ending = true;
    stream.done = done;
    wire::end_frame(out_, frame_at_);
    return pump(stream);
  }
  if (done) out_[frame_at_ + kFlags] = static_cast<char>(wire::kEnd | wire::kDone);
  wire::end_frame(out_, frame_at_);
  if (done) finish(stream);
}

/// What follows of the answer is not wanted.
void Connection::refuse_headers(Stream& stream, std::size_t size) {
  stream.aborted = true;
  respond_error(stream.id, wire::ErrorKind::header,
                "the answer's headers have " + std::to_string(size) + " bytes, the limit is " +
                    std::to_string(wire::kMaxAnswerHeaders),
                {});
}

void Connection::respond_start(std::uint32_t id, std::uint32_t status, std::string_view headers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->head_sent) return;
  stream->head_sent = true;
  if (headers.size() > wire::kMaxAnswerHeaders) return refuse_headers(*stream, headers.size());
  const std::size_t begin = wire::begin_frame(out_, {FrameType::response, 0, id, status, {}});
  wire::append_response_head(out_, headers);
  wire::end_frame(out_, begin);
}

bool Connection::respond_chunk(std::uint32_t id, std::string_view chunk) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->aborted) return true;
  stream->pending.append(chunk);
  pump(*stream);
  stream->told_full = !stream->pending.empty() || stream->window <= 0;
  return !stream->told_full;
}

void Connection::respond_end(std::uint32_t id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  if (stream->pending.empty())
    wire::append_frame(out_, {FrameType::body, wire::kEnd, id, 0, {}});
  else
    stream->ending = true;
}

void Connection::respond_error(std::uint32_t id, wire::ErrorKind kind, std::string_view message,
                               std::string_view stack) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->pending.clear();
  stream->sent = 0;
  stream->ending = false;
  std::string text(message.substr(0, wire::kMaxChunk / 2));
  text.append(1, '\0').append(stack);
  wire::append_frame(out_, {FrameType::error, 0, id, static_cast<std::uint32_t>(kind),
                            std::string_view(text).substr(0, wire::kMaxChunk)});
}

void Connection::request_credit(std::uint32_t id, std::uint32_t bytes) {
  if (find(id) != nullptr) wire::append_frame(out_, {FrameType::credit, 0, id, bytes, {}});
}

void Connection::done(std::uint32_t id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->done = true;
  pump(*stream);
}

void Connection::forget(std::uint32_t id) {
  Stream* stream = find(id);
  if (stream != nullptr) close(*stream);
}

void Connection::drain() {
  const auto until = monotonic_now() + kLastWordsPatience;
  do {
    flush();
    pollfd writable{data_.get(), POLLOUT, 0};
    if (!out_.empty()) ::poll(&writable, 1, 100);
  } while (!out_.empty() && monotonic_now() < until);
  log_.drain(kLogPatience);
}

void Connection::fatal(wire::FatalKind kind, std::string_view message, std::string_view stack) {
  std::string text(message.substr(0, wire::kMaxChunk / 2));
  text.append(1, '\0').append(stack.substr(0, wire::kMaxChunk / 2));
  wire::append_frame(out_, {FrameType::fatal, 0, 0, static_cast<std::uint32_t>(kind), text});
  if (!forked()) drain();
  ::_exit(kind == wire::FatalKind::exit ? std::atoi(std::string(message).c_str()) : 1);
}

void Connection::log(wire::LogLevel level, std::string_view text, std::uint32_t full_length,
                     std::uint32_t stream) {
  log_.log({level, invocation(stream), text, full_length, 0});
}

// --- Writing ---------------------------------------------------------------------------------------

void Connection::append_usage() {
  const auto now = monotonic_now();
  if (usage_sent_at_ != 0 && (completed_ == usage_sent_completed_ || now - usage_sent_at_ < kUsageInterval))
    return;
  usage_sent_at_ = now;
  usage_sent_completed_ = completed_;
  const auto of_child = cpu_time_of(child_).value_or(nanoseconds(0));
  const auto children = childrens_cpu_time() + static_cast<std::uint64_t>(of_child.count());
  const std::array<std::uint64_t, 4> usage{own_cpu_time() + children, busy_, completed_, children};
  wire::append_frame(
      out_, {FrameType::usage, 0, 0, 0, {reinterpret_cast<const char*>(usage.data()), sizeof usage}});
}

void Connection::flush() {
  if (forked()) ::_exit(0);
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
  if (out_.empty() && out_.capacity() > kKeptBuffer) out_ = {};  // a whole answer of 100 MB was made in it
}

}  // namespace mayfly::bridge
