// The bridge: invocations as calls of JavaScript. What comes on the data socket is dispatched to the handlers
// inside one callback scope a batch (so microtasks run once a batch), and what they answer is written with
// one write.
#pragma once

#include <uv.h>

#include <array>
#include <initializer_list>
#include <string>

#include "base/fd.h"
#include "bridge/connection.h"
#include "napi.h"

namespace mayfly::node {

class Bridge final : private bridge::Service, private bridge::CallService {
 public:
  /// Begin to serve `data`. `callbacks` is the object of functions that boot.js passes. Never destroyed.
  Bridge(napi_env env, Fd data, napi_value callbacks, bridge::LogSender& log);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // What JavaScript calls, where its values are the arguments. The rest is the connection's.
  void respond(std::uint32_t stream, std::uint32_t status, napi_value headers, napi_value body, bool done);
  void respond_start(std::uint32_t stream, std::uint32_t status, napi_value headers);
  /// False when the window is full: wait for onWritable.
  [[nodiscard]] bool respond_chunk(std::uint32_t stream, napi_value chunk);
  void respond_error(std::uint32_t stream, wire::ErrorKind kind, napi_value message, napi_value stack);
  /// The number of the call, or a text that says why there is none.
  [[nodiscard]] napi_value call(std::uint32_t stream, std::uint32_t kind,
                                const std::array<napi_value, 5>& texts, bool last, bool event);
  /// False when the window is full: wait for onCallWritable.
  [[nodiscard]] bool call_body(std::uint32_t call, napi_value chunk);
  [[nodiscard]] bridge::Connection& connection() { return connection_; }

 private:
  enum Callback {
    on_request_,
    on_body_,
    on_abort_,
    on_writable_,
    on_stop_,
    on_call_response_,
    on_call_body_,
    on_call_writable_,
    on_call_error_,
    kCallbacks
  };

  void on_request(const bridge::Request& request) override;
  void on_body(std::uint32_t stream, std::string_view chunk, bool last) override;
  void on_abort(std::uint32_t stream, wire::AbortReason reason) override;
  void on_writable(std::uint32_t stream) override;
  void on_stop() override;
  void on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                        std::string_view body, bool last) override;
  void on_call_body(std::uint32_t call, std::string_view chunk, bool last) override;
  void on_call_writable(std::uint32_t call) override;
  void on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) override;

  void on_readable();
  void call_back(Callback which, std::initializer_list<napi_value> arguments);
  void flush();
  void want_writable(bool on);
  void want_log(bool on);

  napi_env env_;
  bridge::Connection connection_;
  bool writable_wanted_ = false;
  bool log_wanted_ = false;
  uv_poll_t poll_{};
  uv_poll_t log_poll_{};
  uv_prepare_t prepare_{};
  napi_async_context async_context_ = nullptr;
  napi_ref resource_ = nullptr;
  std::array<napi_ref, kCallbacks> callbacks_{};
  std::string text_;               // room for what is handed on, kept from call to call
  std::int64_t epoch_offset_ = 0;  // of this batch
};

}  // namespace mayfly::node
