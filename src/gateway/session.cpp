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

MonotonicTime now() { return std::chrono::steady_clock::now(); }

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

Session::Session(Transport socket, GatewayHost& host, Reactor& reactor, DeadlineWheel& deadlines,
                 const GatewayOptions& options)
    : socket_(std::move(socket)),
      host_(host),
      reactor_(reactor),
      deadlines_(deadlines),
      options_(options),
      remote_(peer_of(socket_.fd())) {
  const int on = 1;
  ::setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Session::~Session() = default;

void Session::start(std::string bytes) {
  if (!reactor_.join(*this, socket_.fd(), EPOLLIN)) return close();
  in_ = std::move(bytes);
  end_ = in_.size();
  in_.resize(std::max(in_.size(), kFirstBuffer));
  received_ = now();
  if (!socket_.ready()) {
    state_ = State::handshake;
    set_deadline(received_ + options_.header_timeout);
    return shake_hands();
  }
  set_deadline(received_ + options_.idle_timeout);
  process();
}

void Session::refuse() {
  if (!socket_.ready()) return close();  // an answer would cost a handshake
  if (!reactor_.join(*this, socket_.fd(), EPOLLIN)) return close();
  host_.new_invocation_id(invocation_.id);
  keep_alive_ = false;
  answer_error(Error{GatewayErrc::too_many_connections, "too many connections", {}});
}

void Session::drain() {
  draining_ = true;
  keep_alive_ = false;
  if (state_ == State::idle || state_ == State::handshake) close_politely();
}

void Session::close() {
  if (state_ == State::closed) return;
  const bool waited = state_ == State::exchange && invocation_.state != pool::Invocation::State::idle;
  state_ = State::closed;
  if (waited) service_->cancel(invocation_);
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
  close_politely();
}

/// A client can tell from it that nothing was cut off.
void Session::close_politely() {
  socket_.goodbye();
  close();
}

// --- Reading ---------------------------------------------------------------------------------------

void Session::on_ready(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return close();
  if (state_ == State::handshake) return shake_hands();
  if ((events & EPOLLOUT) != 0) {
    writing_ = false;
    write();
    if (state_ == State::exchange && !writing_ && answer_done_) next_request();
  }
  if ((events & EPOLLIN) != 0 && state_ != State::closed) read();
}

/// TLS before the first request.
void Session::shake_hands() {
  using Step = tls::Channel::Step;
  switch (socket_.handshake()) {
    case Step::failed:
      return close();
    case Step::wants_input:
      return wait_for(EPOLLIN);
    case Step::wants_output:
      return wait_for(EPOLLOUT);
    case Step::done:
      break;
  }
  state_ = State::idle;
  received_ = now();
  set_deadline(received_ + options_.idle_timeout);
  watch();
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
  if (!receive(in_.size() - end_)) return;
  while (const auto hidden =
             socket_.pending()) {  // at most a record's rest; nothing else would wake us for it
    in_.resize(std::max(in_.size(), end_ + hidden));
    if (!receive(hidden)) return;
  }
  received_ = now();
  process();
}

/// Takes what is there. False: there was nothing, or the connection has ended.
bool Session::receive(std::size_t room) {
  const ssize_t got = socket_.receive(in_.data() + end_, room);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    close();
    return false;
  }
  end_ += static_cast<std::size_t>(got);
  return true;
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
  answer_error(header_error(error, bytes, options_.max_header, head_.fault));
}

void Session::begin_exchange() {
  auto destination = host_.route(head_);
  if (destination && destination->service == nullptr) {
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
  refusals_.reset();
  if (!destination) return answer_error(destination.error());

  answer_fields_.swap(destination->answer_fields);
  service_ = destination->service;
  own_service_ = std::move(destination->own);
  max_request_ = destination->max_request;
  max_request_name_ = destination->max_request_name;
  refusals_ = std::move(destination->refusals);
  const auto length = parser_->content_length();
  if (length && *length > max_request_) return refuse_too_large();
  if (head_.expects_continue && !request_done_) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    write();
  }
  invocation_.chain = std::move(destination->chain);
  invocation_.deadline_owner = std::move(destination->deadline_owner);
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
  invocation_.scheme = socket_.encrypted() ? "https" : "http";
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
  service_->submit(invocation_);
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
      if (invocation_.state != pool::Invocation::State::idle) service_->cancel(invocation_);
      if (head_sent_) return close();
      return refuse_too_large();
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
    invocation_.runner->send_body(invocation_, body_, request_done_);
    body_.clear();
  } else if (invocation_.state == pool::Invocation::State::waiting) {
    invocation_.body += body_;
    invocation_.body_complete = request_done_;
    body_.clear();
  }
}

void Session::refuse_too_large() { answer_error(body_too_large(max_request_, max_request_name_)); }

/// A body that is not valid HTTP.
void Session::refuse_body(const boost::beast::error_code& error) {
  keep_alive_ = false;
  if (invocation_.state != pool::Invocation::State::idle) service_->cancel(invocation_);
  if (head_sent_ || answer_done_) return close();
  answer_error(body_error(error, options_.max_header));
}

void Session::on_request_credit(pool::Invocation&, std::size_t bytes) {
  window_ = std::min<std::size_t>(window_ + bytes, wire::kWindow);
  feed_request_body();
  if (state_ != State::closed) watch();
}

}  // namespace mayfly::gateway
