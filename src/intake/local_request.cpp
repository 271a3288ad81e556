#include "intake/local_request.h"

#include <atomic>

#include "base/fields.h"
#include "base/text.h"
#include "events/store.h"

namespace mayfly::intake {
namespace {

/// Of all requests, on whichever shard. Many clients that send large bodies slowly are not to use up the
/// memory.
std::atomic<std::size_t> held_bodies{0};

}  // namespace

std::error_code make_error_code(IntakeErrc code) {
  static const SlugCategory<IntakeErrc, 4> category(
      "intake", {"body-too-large", "no-answer", "bad-request", "not-allowed"});
  return {static_cast<int>(code), category};
}

/// Not from inside the session's call, which goes on with what it had.
void LocalRequest::later(std::function<void()> work) {
  boost::asio::post(place_.executor, [self = shared_from_this(), work = std::move(work)] { work(); });
}

void LocalRequest::submit(pool::Invocation& invocation) {
  invocation_ = &invocation;
  invocation.state = pool::Invocation::State::running;
  invocation.runner = this;
  invocation.started = std::chrono::steady_clock::now();
  place_.deadlines.add(*this, invocation.deadline);
  const auto body = std::exchange(invocation.body, {});
  hold(body);
  if (too_much() || invocation.body_complete) return later([this] { complete(); });
}

void LocalRequest::send_body(pool::Invocation& invocation, std::string_view bytes, bool end) {
  if (!too_much()) hold(bytes);
  if (end || too_much()) return later([this] { complete(); });
  later([this, taken = bytes.size()] {
    if (invocation_ != nullptr) invocation_->listener->on_request_credit(*invocation_, taken);
  });
  (void)invocation;
}

void LocalRequest::hold(std::string_view bytes) {
  held_ += bytes.size();
  overloaded_ = held_bodies.fetch_add(bytes.size()) + bytes.size() > kMaxHeldBodies;
  if (!overloaded_) body_.append(bytes);
}

void LocalRequest::release() { held_bodies -= std::exchange(held_, 0); }

void LocalRequest::complete() {
  if (invocation_ == nullptr) return;
  if (overloaded_)
    return refuse(Error{events::EventsErrc::store_full, "too many events are being received", {}}.with(
        "retry-after", "1"));
  if (body_.size() > max_body_) {
    const auto limit = format_size(max_body_);
    return refuse(Error{IntakeErrc::body_too_large, "the request's body is larger than " + limit, {}}.with(
        "limit", limit));
  }
  release();  // from here on it is counted by the store
  on_request(*invocation_, std::exchange(body_, {}));
}

void LocalRequest::cancel(pool::Invocation& invocation) {
  if (invocation_ == &invocation) detach();
}

/// From now on nobody waits.
pool::Invocation* LocalRequest::detach() {
  auto* const invocation = std::exchange(invocation_, nullptr);
  DeadlineEntry::cancel();
  release();
  body_ = {};
  if (invocation == nullptr) return nullptr;
  invocation->state = pool::Invocation::State::idle;
  invocation->runner = nullptr;
  return invocation;
}

void LocalRequest::on_deadline() {
  const auto self = shared_from_this();
  refuse(Error{IntakeErrc::no_answer, "no answer in time", {}});
}

void LocalRequest::name(const std::string& id) {
  if (invocation_ != nullptr && id.size() == invocation_->id.size())
    std::copy(id.begin(), id.end(), invocation_->id.begin());
}

void LocalRequest::answer(unsigned status, const std::string& headers, const std::string& body) {
  const auto self = shared_from_this();  // the session may let go of it
  auto* const invocation = detach();
  if (invocation == nullptr) return;
  invocation->answered = std::chrono::steady_clock::now();
  invocation->listener->on_response(*invocation, status, headers, body, true);
}

void LocalRequest::answer_json(unsigned status, const std::string& json, std::string headers) {
  append_field(headers, "content-type", "application/json");
  answer(status, headers, json);
}

void LocalRequest::refuse(Error error) {
  const auto self = shared_from_this();
  auto* const invocation = detach();
  if (invocation != nullptr) invocation->listener->on_failure(*invocation, std::move(error));
}

}  // namespace mayfly::intake
