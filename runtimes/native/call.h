// A call that a handler waits for.
#pragma once

#include <string>
#include <string_view>

#include "exchange.h"

namespace mayfly::native {

/// Owned by the exchange that it was made in, which outlives it.
class OutgoingCall {
 public:
  /// `forward`: what was not read of the exchange's own body is the call's.
  OutgoingCall(Wire& wire, Exchange& caller, const wire::CallHead& head, std::string_view body, bool event,
               bool forward);
  ~OutgoingCall();
  OutgoingCall(const OutgoingCall&) = delete;
  OutgoingCall& operator=(const OutgoingCall&) = delete;

  /// Waits for the head of the answer: its status, 0 if there is none.
  [[nodiscard]] unsigned wait();
  /// See Exchange::read; less than 0: the answer broke off.
  [[nodiscard]] std::ptrdiff_t read(void* buffer, std::size_t size);
  [[nodiscard]] const std::string& headers() const { return headers_; }
  [[nodiscard]] unsigned error_status() const { return error_status_; }
  [[nodiscard]] const std::string& error_type() const { return error_type_; }
  [[nodiscard]] const std::string& error_message() const { return error_message_; }
  [[nodiscard]] std::uint32_t id() const { return id_; }

  // What the daemon sent.
  void on_response(unsigned status, std::string_view headers, std::string_view body, bool last);
  void on_body(std::string_view chunk, bool last);
  void on_writable() { full_ = false; }
  void on_error(unsigned status, std::string_view type, std::string_view message);

 private:
  void turn();

  Wire& wire_;
  Exchange& caller_;
  std::uint32_t id_ = 0;
  bool forward_;
  bool full_ = false;
  bool over_ = false;
  unsigned status_ = 0;
  std::string headers_;
  std::string body_;
  std::size_t body_read_ = 0;
  unsigned error_status_ = 0;
  std::string error_type_;
  std::string error_message_;
};

}  // namespace mayfly::native

struct mayfly_call {
  mayfly::native::OutgoingCall* call;
};
