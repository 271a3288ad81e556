#include "exchange.h"

#include <algorithm>
#include <cstring>

namespace mayfly::native {
namespace {

/// Credit is given in parts of this size: less often than every read, and long before the window is used up.
constexpr std::size_t kCreditStep = wire::kWindow / 4;

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kMarks.contains(c);
  });
}

bool is_value(std::string_view value) {
  return std::ranges::all_of(
      value, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

}  // namespace

Exchange::Exchange(Wire& wire, const bridge::Request& request)
    : wire_(wire),
      stream_(request.stream),
      deadline_(request.head.deadline),
      event_(request.event),
      invocation_(request.head.invocation),
      remote_(request.head.remote),
      scheme_(request.head.scheme),
      method_(request.head.method),
      target_(request.head.target),
      path_(request.head.target.substr(0, request.head.target.find('?'))),
      headers_(request.head.headers),
      body_(request.body),
      body_ended_(!request.more) {}

std::string_view Exchange::query() const {
  const auto mark = target_.find('?');
  return std::string_view(target_).substr(mark == std::string::npos ? target_.size() : mark + 1);
}

std::int64_t Exchange::time_left() const {
  return static_cast<std::int64_t>(deadline_) - static_cast<std::int64_t>(bridge::monotonic_now());
}

// --- The request's body ------------------------------------------------------------------------------

void Exchange::on_body(std::string_view chunk, bool last) {
  body_.append(chunk);
  body_ended_ = last;
}

void Exchange::give_credit(std::size_t taken) {
  credit_ += taken;
  if (credit_ < kCreditStep || body_ended_) return;
  wire_.connection().request_credit(stream_, static_cast<std::uint32_t>(credit_));
  credit_ = 0;
}

bool Exchange::body(std::string_view& whole) {
  body_.erase(0, std::exchange(body_read_, 0));
  std::size_t told = 0;  // all that comes is taken at once
  while (!body_ended_ && !aborted_) {
    give_credit(body_.size() - told);
    told = body_.size();
    wire_.turn();
  }
  whole = body_;
  return body_ended_;
}

std::ptrdiff_t Exchange::read(void* buffer, std::size_t size) {
  while (body_read_ == body_.size() && !body_ended_ && !aborted_) wire_.turn();
  if (body_read_ == body_.size()) return body_ended_ ? 0 : MAYFLY_GONE;
  const std::size_t taken = std::min(size, body_.size() - body_read_);
  std::memcpy(buffer, body_.data() + body_read_, taken);
  body_read_ += taken;
  if (body_read_ == body_.size()) {
    body_.clear();
    body_read_ = 0;
  }
  give_credit(taken);
  return static_cast<std::ptrdiff_t>(taken);
}

std::string Exchange::take_body() {
  std::string taken = body_.substr(std::exchange(body_read_, 0));
  body_.clear();
  give_credit(taken.size());
  return taken;
}

void Exchange::complete(std::string& headers, std::string_view body, bool forward) const {
  const auto add = [&](std::string_view name, std::string_view value) {
    if (value.empty() || !bridge::header_value(headers, name).empty()) return;
    headers.append(name).append(1, '\0').append(value).append(1, '\0');
  };
  add("host", "localhost");
  add("traceparent", bridge::header_value(headers_, "traceparent"));
  if (!body.empty() && !forward) add("content-length", std::to_string(body.size()));
}

bool Exchange::aborted() {
  if (!aborted_) wire_.look();
  return aborted_;
}

// --- The answer --------------------------------------------------------------------------------------

bool Exchange::set_status(int status) {
  if (streaming_ || status < 200 || status > 599) return false;
  status_ = status;
  return true;
}

bool Exchange::add_header(std::string_view name, std::string_view value) {
  if (streaming_ || !is_token(name) || !is_value(value)) return false;
  std::ranges::transform(name, std::back_inserter(answer_headers_),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  answer_headers_.append(1, '\0').append(value).append(1, '\0');
  return true;
}

void Exchange::append(std::string_view bytes) {
  if (streaming_)
    (void)write(bytes);
  else if (!failed_)
    answer_.append(bytes);
}

void Exchange::send_head() {
  streaming_ = true;
  auto& connection = wire_.connection();
  connection.respond_start(stream_, static_cast<std::uint32_t>(status_), answer_headers_);
  if (!answer_.empty()) full_ = !connection.respond_chunk(stream_, answer_);
  answer_ = {};
}

bool Exchange::write(std::string_view bytes) {
  if (aborted_ || failed_) return false;
  if (!streaming_) send_head();
  do {
    while (full_ && !aborted_) wire_.turn();
    const auto part = bytes.substr(0, wire::kMaxChunk);  // so little is ever kept for later
    bytes.remove_prefix(part.size());
    if (!aborted_ && !part.empty()) full_ = !wire_.connection().respond_chunk(stream_, part);
  } while (!bytes.empty() && !aborted_);
  wire_.look();
  return !aborted_;
}

void Exchange::fail(std::string_view message) {
  failed_ = true;
  failure_ = message.empty() ? "the handler failed" : message;
}

void Exchange::finish() {
  auto& connection = wire_.connection();
  if (aborted_) return connection.done(stream_);  // nobody would hear it
  if (failed_) {
    connection.respond_error(stream_, streaming_ ? wire::ErrorKind::stream : wire::ErrorKind::threw, failure_,
                             {});
    return connection.done(stream_);
  }
  if (streaming_) {
    connection.respond_end(stream_);
    return connection.done(stream_);
  }
  // What does not fit into one frame would be sent in chunks, though its length is known.
  if (answer_.size() > wire::kMaxChunk && bridge::header_value(answer_headers_, "content-length").empty())
    (void)add_header("content-length", std::to_string(answer_.size()));
  connection.respond(stream_, static_cast<std::uint32_t>(status_), answer_headers_, answer_, true);
}

}  // namespace mayfly::native
