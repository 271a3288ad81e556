#include "call.h"

#include <algorithm>
#include <cstring>

namespace mayfly::native {

OutgoingCall::OutgoingCall(Wire& wire, Exchange& caller, const wire::CallHead& head, std::string_view body,
                           bool event, bool forward)
    : wire_(wire), caller_(caller), forward_(forward) {
  const auto opened = wire_.connection().calls().open(head, event, body, !forward);
  id_ = opened.call;
  wire_.add(*this);
  if (id_ == 0) on_error(400, "urn:mayfly:call:bad-call", opened.problem);
}

OutgoingCall::~OutgoingCall() {
  wire_.remove(*this);
  if (!over_) wire_.connection().calls().abort(id_);
}

/// Passes on what has come of the caller's body, or waits until something changes.
void OutgoingCall::turn() {
  if (caller_.aborted_now())
    return on_error(409, "urn:mayfly:call:caller-gone", "nobody waits for the answer any more");
  if (forward_ && !full_) {
    const auto part = caller_.take_body();
    if (!part.empty()) full_ = !wire_.connection().calls().body(id_, part);
    if (caller_.body_is_over()) {
      wire_.connection().calls().end_body(id_);
      forward_ = false;
    }
    if (!part.empty()) return;
  }
  wire_.turn();
}

unsigned OutgoingCall::wait() {
  while (status_ == 0 && error_status_ == 0) turn();
  return status_;
}

std::ptrdiff_t OutgoingCall::read(void* buffer, std::size_t size) {
  while (body_read_ == body_.size() && !over_) turn();
  if (body_read_ == body_.size()) return error_status_ == 0 ? 0 : -1;
  const auto taken = std::min(size, body_.size() - body_read_);
  std::memcpy(buffer, body_.data() + body_read_, taken);
  body_read_ += taken;
  if (body_read_ == body_.size()) {
    body_.clear();
    body_read_ = 0;
  }
  if (!over_) wire_.connection().calls().credit(id_, static_cast<std::uint32_t>(taken));
  return static_cast<std::ptrdiff_t>(taken);
}

void OutgoingCall::on_response(unsigned status, std::string_view headers, std::string_view body, bool last) {
  status_ = status;
  headers_.assign(headers);
  on_body(body, last);
}

void OutgoingCall::on_body(std::string_view chunk, bool last) {
  body_.append(chunk);
  over_ = over_ || last;
}

void OutgoingCall::on_error(unsigned status, std::string_view type, std::string_view message) {
  over_ = true;
  forward_ = false;
  error_status_ = status;
  error_type_.assign(type);
  error_message_.assign(message);
}

}  // namespace mayfly::native
