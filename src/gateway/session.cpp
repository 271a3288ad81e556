#include "gateway/session.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <charconv>

#include "gateway/trace_context.h"
#include "problem/problem.h"

namespace mayfly::gateway {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace {

constexpr std::size_t kFirstBuffer = 8U << 10U;
constexpr std::size_t kLargestBuffer = 128U << 10U;
/// After an answer that came before the request's end: how long to take the rest, so that the client's
/// kernel does not throw the answer away (RFC 9112, section 9.6).
constexpr auto kLinger = std::chrono::seconds(2);

/// Details of an error that are fields of its answer.
constexpr std::array<std::string_view, 5> kErrorFields{"allow", "www-authenticate", "retry-after",
                                                       "ratelimit-policy", "ratelimit"};

MonotonicTime now() { return std::chrono::steady_clock::now(); }

std::int64_t micros(nanoseconds time) { return time.count() / 1000; }

/// Lines of a body end with CR LF; Beast would wait for the CR.
bool has_bare_line_feed(std::string_view text) {
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    if (at == 0 || text[at - 1] != '\r') return true;
  return false;
}

/// The address at the other end, as text; empty when it has left already.
std::string peer_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  const bool v6 = address.ss_family == AF_INET6;
  const void* bytes = v6 ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6&>(address).sin6_addr)
                         : &reinterpret_cast<sockaddr_in&>(address).sin_addr;
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(address.ss_family, bytes, text.data(), text.size()) != nullptr ? text.data() : "";
}

}  // namespace

Session::Session(Fd socket, GatewayHost& host, Reactor& reactor, DeadlineWheel& deadlines,
                 const GatewayOptions& options)
    : socket_(std::move(socket)),
      host_(host),
      reactor_(reactor),
      deadlines_(deadlines),
      options_(options),
      remote_(peer_of(socket_.get())) {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Session::~Session() = default;

void Session::start(std::string bytes) {
  if (!reactor_.join(*this, socket_.get(), EPOLLIN)) return close();
  in_ = std::move(bytes);
  end_ = in_.size();
  in_.resize(std::max(in_.size(), kFirstBuffer));
  received_ = now();
  set_deadline(received_ + options_.idle_timeout);
  process();
}

void Session::refuse() {
  if (!reactor_.join(*this, socket_.get(), EPOLLIN)) return close();
  host_.new_invocation_id(invocation_.id);
  keep_alive_ = false;
  answer_error(Error{GatewayErrc::too_many_connections, "too many connections", {}});
}

void Session::drain() {
  draining_ = true;
  keep_alive_ = false;
  if (state_ == State::idle) close();
}

void Session::close() {
  if (state_ == State::closed) return;
  const bool waited = state_ == State::exchange && invocation_.state != pool::Invocation::State::idle;
  state_ = State::closed;
  if (waited) scheduler_->cancel(invocation_);
  cancel();
  leave();
  socket_.reset();
  host_.ended(*this);
}

/// Deadlines only ever move later while one is armed, so the wheel is touched when they come, not when
/// they are set.
void Session::set_deadline(MonotonicTime when) {
  deadline_ = when;
  if (!pending() || DeadlineEntry::deadline() > when) deadlines_.add(*this, when);
}

void Session::on_deadline() {
  if (state_ == State::exchange) {  // which has its own, but for a client that does not take its answer
    if (writing_ && std::exchange(stalled_, true)) return close();
    return deadlines_.add(*this, now() + options_.idle_timeout);
  }
  if (now() < deadline_) return deadlines_.add(*this, deadline_);
  if (state_ == State::header) {
    keep_alive_ = false;
    host_.new_invocation_id(invocation_.id);
    return answer_error(
        Error{GatewayErrc::header_timeout, "the request's header did not arrive in time", {}});
  }
  close();
}

// --- Reading ---------------------------------------------------------------------------------------

void Session::on_ready(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return close();
  if ((events & EPOLLOUT) != 0) {
    writing_ = false;
    write();
    if (state_ == State::exchange && !writing_ && answer_done_) next_request();
  }
  if ((events & EPOLLIN) != 0 && state_ != State::closed) read();
}

/// A header of the size that is allowed has room.
std::size_t Session::largest_buffer() const {
  return std::max<std::size_t>(kLargestBuffer, options_.max_header);
}

void Session::read() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == in_.size() && begin_ > 0) {
    in_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
    in_.resize(std::max(kFirstBuffer, end_));
  }
  if (end_ == in_.size() && in_.size() < largest_buffer()) in_.resize(in_.size() * 2);
  if (end_ == in_.size()) return watch();
  const ssize_t got = ::recv(socket_.get(), in_.data() + end_, in_.size() - end_, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close();
  end_ += static_cast<std::size_t>(got);
  received_ = now();
  process();
}

/// Waits for what the connection can go on with: input while there is room for it, room for output.
void Session::watch() {
  const bool full = end_ - begin_ >= largest_buffer();
  wait_for((full ? 0U : EPOLLIN) | (writing_ ? EPOLLOUT : 0U));
}

/// Goes on with whatever the connection is at, until it must wait.
void Session::process() {
  if (processing_) return;  // called from inside: the loop below goes on
  processing_ = true;
  while (state_ == State::idle || state_ == State::header) {
    if (state_ == State::idle) skip_empty_lines();
    if (begin_ == end_) break;
    if (!parse_header()) break;
    begin_exchange();
  }
  if (state_ == State::exchange) feed_request_body();
  if (state_ == State::lingering) begin_ = end_ = 0;
  processing_ = false;
  if (state_ != State::closed) watch();
}

/// Some clients send a line's end behind a body (RFC 9112, section 2.2).
void Session::skip_empty_lines() {
  while (end_ - begin_ >= 2 && in_[begin_] == '\r' && in_[begin_ + 1] == '\n') begin_ += 2;
}

/// True when the header is complete.
bool Session::parse_header() {
  if (state_ == State::idle) {
    head_.reset();
    answer_fields_.clear();
    parser_.emplace(head_, body_, options_.max_header);
    state_ = State::header;
    header_bytes_ = 0;
    invocation_.accepted = invocation_.started = {};  // a refusal must not tell the times of the one before
    set_deadline(received_ + options_.header_timeout);
  }
  // The parser may take a part of the header; it stays in the buffer, in case the connection moves.
  boost::beast::error_code error;
  const auto taken = begin_ + header_bytes_;
  header_bytes_ += parser_->put(asio::buffer(in_.data() + taken, end_ - taken), error);
  // The parser forgets what it has taken: its own limit alone could be passed by in portions.
  if (header_bytes_ > options_.max_header) error = http::error::header_limit;
  if (error == http::error::need_more) return false;
  if (!error && parser_->is_header_done()) return true;
  refuse_header(error);
  return false;
}

void Session::refuse_header(const boost::beast::error_code& error) {
  keep_alive_ = false;
  host_.new_invocation_id(invocation_.id);
  const auto bytes = std::string_view(in_).substr(begin_, end_ - begin_);
  answer_error(header_error(error, bytes, options_.max_header));
}

void Session::begin_exchange() {
  auto destination = host_.route(head_);
  if (destination && destination->scheduler == nullptr) {
    // Nothing of the request was taken from the buffer yet: the other shard parses it again.
    state_ = State::closed;
    cancel();
    leave();
    host_.move(destination->shard, MovedConnection{std::move(socket_), in_.substr(begin_, end_ - begin_)});
    return host_.ended(*this);
  }
  begin_ += header_bytes_;
  state_ = State::exchange;
  head_sent_ = answer_done_ = request_done_ = false;
  request_bytes_ = 0;
  body_.clear();
  keep_alive_ = parser_->keep_alive() && !draining_;
  host_.new_invocation_id(invocation_.id);
  invocation_.accepted = received_;
  invocation_.started = invocation_.answered = {};
  parser_->eager(true);
  request_done_ = parser_->is_done();
  if (!destination) return answer_error(destination.error());

  answer_fields_.swap(destination->answer_fields);
  scheduler_ = destination->scheduler;
  max_request_ = destination->max_request;
  const auto length = parser_->content_length();
  if (length && *length > max_request_) {
    return answer_error(Error{GatewayErrc::body_too_large, "the request's body is too large", {}}.with(
        "limit", std::to_string(max_request_)));
  }
  if (head_.expects_continue && !request_done_) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    write();
  }
  fill_invocation(*destination);
}

void Session::fill_invocation(const Destination& destination) {
  invocation_.deadline = invocation_.accepted + destination.timeout;
  invocation_.method = head_.method;
  invocation_.target = destination.target;
  if (!destination.target.starts_with('/')) {  // "/NAME" and "/NAME?query": the function's root
    rooted_target_.assign("/").append(destination.target);
    invocation_.target = rooted_target_;
  }
  invocation_.remote = remote_;
  if (!destination.prefix.empty()) {
    head_.headers.append("x-forwarded-prefix").push_back('\0');
    head_.headers.append(destination.prefix).push_back('\0');
  }
  put_traceparent(head_, invocation_.id_text());
  invocation_.headers.swap(head_.headers);
  window_ = wire::kWindow;
  // What has come of the body goes along with the request.
  feed_request_body();
  if (state_ != State::exchange || answer_done_) return;
  invocation_.body.swap(body_);
  body_.clear();
  invocation_.body_complete = request_done_;
  scheduler_->submit(invocation_);
}

/// Parses what is there of the request's body, as far as the handler's window allows, and passes it on.
void Session::feed_request_body() {
  const bool started = invocation_.state == pool::Invocation::State::running;
  while (state_ == State::exchange && !request_done_ && begin_ < end_ && (window_ > 0 || answer_done_)) {
    const auto room = answer_done_ ? end_ - begin_ : std::min(end_ - begin_, window_);
    boost::beast::error_code error;
    const std::size_t before = body_.size();
    const std::size_t taken = parser_->put(asio::buffer(in_.data() + begin_, room), error);
    begin_ += taken;
    const std::size_t got = body_.size() - before;
    request_bytes_ += got;
    window_ -= std::min(window_, got);
    if (answer_done_) body_.clear();
    request_done_ = parser_->is_done();
    if (error && error != http::error::need_more) return refuse_body(error);
    if (request_bytes_ > max_request_ && !answer_done_) {
      keep_alive_ = false;
      if (invocation_.state != pool::Invocation::State::idle) scheduler_->cancel(invocation_);
      if (head_sent_) return close();
      return answer_error(Error{GatewayErrc::body_too_large, "the request's body is too large", {}}.with(
          "limit", std::to_string(max_request_)));
    }
    if (error == http::error::need_more) {
      // What is left is the line of a chunk, or trailers: limited as a header is.
      const auto rest = std::string_view(in_).substr(begin_, room - taken);
      if (rest.size() > options_.max_header) return refuse_body(http::error::header_limit);
      if (has_bare_line_feed(rest)) return refuse_body(http::error::bad_line_ending);
      break;
    }
  }
  if (answer_done_ || state_ != State::exchange) return;
  if (started && (!body_.empty() || (request_done_ && !invocation_.body_complete))) {
    invocation_.body_complete = request_done_;
    invocation_.instance->send_body(invocation_, body_, request_done_);
    body_.clear();
  } else if (invocation_.state == pool::Invocation::State::waiting) {
    invocation_.body += body_;
    invocation_.body_complete = request_done_;
    body_.clear();
  }
}

/// A body that is not valid HTTP.
void Session::refuse_body(const boost::beast::error_code& error) {
  keep_alive_ = false;
  if (invocation_.state != pool::Invocation::State::idle) scheduler_->cancel(invocation_);
  if (head_sent_ || answer_done_) return close();
  answer_error(body_error(error, options_.max_header));
}

void Session::on_request_credit(pool::Invocation&, std::size_t bytes) {
  window_ = std::min<std::size_t>(window_ + bytes, wire::kWindow);
  feed_request_body();
  if (state_ != State::closed) watch();
}

// --- Answering -------------------------------------------------------------------------------------

ResponseFacts Session::facts(unsigned status, std::string_view headers) const {
  ResponseFacts facts;
  facts.status = status;
  facts.headers = headers;
  facts.more = answer_fields_;
  facts.head_request = head_.method == "HEAD";
  facts.http_1_0 = head_.http_1_0;
  facts.keep_alive = keep_alive_;
  facts.invocation = invocation_.id_text();
  facts.date = http_date();
  if (invocation_.started != MonotonicTime{}) {
    facts.queue_us = micros(invocation_.started - invocation_.accepted - invocation_.start_cost);
    facts.start_us = micros(invocation_.start_cost);
    const bool complete = invocation_.answered != MonotonicTime{};
    facts.run_us = micros((complete ? invocation_.answered : now()) - invocation_.started);
  } else if (invocation_.accepted != MonotonicTime{}) {
    facts.queue_us = micros(now() - invocation_.accepted);
  }
  return facts;
}

void Session::on_response(pool::Invocation&, unsigned status, std::string_view headers, std::string_view body,
                          bool end) {
  if (head_sent_ || state_ != State::exchange) return;
  if (!request_done_ && end) keep_alive_ = false;
  auto what = facts(status, headers);
  if (end) what.whole_length = body.size();
  const auto head = append_response_head(out_, what);
  if (!head) {
    if (!end) scheduler_->cancel(invocation_);
    return answer_error(Error{GatewayErrc::bad_answer,
                              "the function's answer has a status or a header that is not valid HTTP",
                              {}});
  }
  head_sent_ = true;
  framing_ = head->framing;
  length_left_ = head->length;
  append_body(body);
  if (!end) credit_due_ += body.size();
  if (state_ == State::closed) return;
  if (end) return end_answer();
  write();
}

void Session::on_body(pool::Invocation&, std::string_view body, bool end) {
  if (state_ != State::exchange) return;
  append_body(body);
  if (state_ == State::closed) return;
  if (end) {
    if (framing_ == Framing::length && length_left_ > 0) {  // promised more: visibly cut
      write();
      return close();
    }
    return end_answer();
  }
  credit_due_ += body.size();
  write();
}

void Session::append_body(std::string_view body) {
  if (body.empty() || framing_ == Framing::none) return;
  if (framing_ == Framing::length) {
    out_.append(body.substr(0, length_left_));
    if (body.size() > length_left_) {  // more than the function itself has announced
      write();
      return close();
    }
    length_left_ -= body.size();
  } else if (framing_ == Framing::chunked) {
    std::array<char, 24> size;
    const auto [end, error] = std::to_chars(size.data(), size.data() + size.size(), body.size(), 16);
    out_.append(size.data(), end).append("\r\n").append(body).append("\r\n");
  } else {
    out_.append(body);
  }
}

void Session::on_failure(pool::Invocation&, Error error) {
  if (state_ != State::exchange) return;
  if (head_sent_) {  // too late for another answer: what is written is written, then the break is visible
    if (!writing_) write();
    return close();
  }
  answer_error(error);
}

void Session::answer_error(const Error& error) {
  if (!request_done_) keep_alive_ = false;
  state_ = State::exchange;
  const auto& row = problem::row(error.code);
  const auto text = problem::document(error, problem::Audience::everyone, invocation_.id_text());
  std::string headers("content-type\0application/problem+json\0", 38);
  for (const auto field : kErrorFields)
    if (const auto value = error.detail(field); !value.empty())
      headers.append(field).append(1, '\0').append(value).append(1, '\0');
  if (row.status == 503 && error.detail("retry-after").empty()) headers.append("retry-after\0001\0", 14);
  auto what = facts(row.status, headers);
  what.whole_length = text.size();
  const auto head = append_response_head(out_, what);
  head_sent_ = true;
  framing_ = head ? head->framing : Framing::until_close;
  length_left_ = text.size();
  append_body(text);
  end_answer();
}

void Session::end_answer() {
  if (framing_ == Framing::chunked) out_ += "0\r\n\r\n";
  // What still comes of the request's body must not be taken for the next request.
  if (framing_ == Framing::until_close || !request_done_) keep_alive_ = false;
  answer_done_ = true;
  credit_due_ = 0;
  write();
  if (state_ == State::exchange && !writing_) next_request();
}

/// The answer is written. Goes on with the next request, or closes.
void Session::next_request() {
  if (!keep_alive_ || draining_) return request_done_ && begin_ == end_ ? close() : linger();
  state_ = State::idle;
  if (in_.size() > kFirstBuffer && begin_ == end_) in_.resize(kFirstBuffer), in_.shrink_to_fit();
  // What came meanwhile (pipelining) has its turn, and its time, from now on.
  if (begin_ != end_) received_ = now();
  deadline_ = std::max(received_, invocation_.answered) + options_.idle_timeout;
  process();
}

/// Says that no more will come and takes what the client is still sending, for a while.
void Session::linger() {
  ::shutdown(socket_.get(), SHUT_WR);
  state_ = State::lingering;
  begin_ = end_ = 0;
  set_deadline(now() + kLinger);
  watch();
}

void Session::write() {
  if (writing_ || state_ == State::closed) return;
  std::string_view rest = out_;
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) {
      out_.clear();
      return close();
    }
    if (sent < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  if (rest.empty()) {
    out_.clear();
    return written();
  }
  out_.erase(0, out_.size() - rest.size());
  writing_ = true;
  stalled_ = false;
  watch();
}

/// Everything is with the kernel: the handler may send as much again.
void Session::written() {
  if (out_.capacity() > kLargestBuffer) out_.shrink_to_fit();
  if (credit_due_ == 0 || invocation_.state != pool::Invocation::State::running) return;
  invocation_.instance->credit(invocation_, std::exchange(credit_due_, 0));
}

}  // namespace mayfly::gateway
