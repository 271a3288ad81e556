// The second half of a session: what goes back to the client.
#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <charconv>

#include "base/fields.h"
#include "gateway/session.h"
#include "problem/problem.h"

namespace mayfly::gateway {
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

/// The request did not come to the function: it was too large, or there was no room for it.
bool is_refusal(unsigned status) { return status == 413 || status == 503; }

std::int64_t micros(nanoseconds time) { return time.count() / 1000; }

}  // namespace

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
    if (!end) service_->cancel(invocation_);
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
  if (refusals_ && is_refusal(row.status)) refusals_->add(error.code);
  const auto text = problem::document(error, problem::Audience::everyone, invocation_.id_text());
  std::string headers("content-type\0application/problem+json\0", 38);
  for (const auto field : kErrorFields)
    if (const auto value = error.detail(field); !value.empty()) append_field(headers, field, value);
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
  if (!keep_alive_ || draining_) return request_done_ && begin_ == end_ ? close_politely() : linger();
  state_ = State::idle;
  if (in_.size() > kFirstBuffer && begin_ == end_) in_.resize(kFirstBuffer), in_.shrink_to_fit();
  // What came meanwhile (pipelining) has its turn, and its time, from now on.
  if (begin_ != end_) received_ = now();
  deadline_ = std::max(received_, invocation_.answered) + options_.idle_timeout;
  process();
}

/// Says that no more will come and takes what the client is still sending, for a while.
void Session::linger() {
  socket_.shut_down();
  state_ = State::lingering;
  begin_ = end_ = 0;
  set_deadline(now() + kLinger);
  watch();
}

void Session::write() {
  if (writing_ || state_ == State::closed) return;
  std::string_view rest = out_;
  while (!rest.empty()) {
    const ssize_t sent = socket_.send(rest.data(), rest.size());
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
  invocation_.runner->credit(invocation_, std::exchange(credit_due_, 0));
}

}  // namespace mayfly::gateway
