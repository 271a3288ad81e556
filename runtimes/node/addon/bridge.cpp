#include "bridge.h"

#include <unistd.h>

namespace mayfly::node {
namespace {

/// Handles made while it lives are let go with it.
class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { napi_open_handle_scope(env_, &scope_); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

napi_value buffer(napi_env env, std::string_view bytes) {
  napi_value value = nullptr;
  napi_create_buffer_copy(env, bytes.size(), bytes.data(), nullptr, &value);
  return value;
}

}  // namespace

Bridge::Bridge(napi_env env, Fd data, napi_value callbacks, bridge::LogSender& log)
    : env_(env), connection_(std::move(data), *this, log) {
  static constexpr std::array names{"onRequest",      "onBody",     "onAbort",        "onWritable", "onStop",
                                    "onCallResponse", "onCallBody", "onCallWritable", "onCallError"};
  static_assert(names.size() == kCallbacks);
  for (std::size_t i = 0; i < names.size(); ++i) {
    napi_value function = nullptr;
    napi_get_named_property(env_, callbacks, names[i], &function);
    napi_create_reference(env_, function, 1, &callbacks_[i]);
  }
  connection_.calls().listen(*this);
  napi_create_reference(env_, callbacks, 1, &resource_);
  napi_value name = latin1(env_, "mayfly");
  napi_async_init(env_, callbacks, name, &async_context_);

  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env_, &loop);
  uv_poll_init(loop, &poll_, connection_.fd());
  poll_.data = this;
  want_writable(false);
  uv_poll_init(loop, &log_poll_, connection_.log_fd());
  log_poll_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&log_poll_));
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

/// Lines that the log's socket did not take are sent when it has room.
void Bridge::want_log(bool on) {
  log_wanted_ = on;
  if (!on) {
    uv_poll_stop(&log_poll_);
    return;
  }
  uv_poll_start(&log_poll_, UV_WRITABLE,
                [](uv_poll_t* handle, int, int) { static_cast<Bridge*>(handle->data)->flush(); });
}

void Bridge::flush() {
  connection_.flush();
  if (log_wanted_ != connection_.log_waits()) want_log(connection_.log_waits());
  if (writable_wanted_ != connection_.wants_write()) want_writable(connection_.wants_write());
}

void Bridge::on_readable() {
  const auto begin = uv_hrtime();
  epoch_offset_ = bridge::epoch_offset(begin);
  bool open = false;
  {
    const HandleScope handles(env_);
    napi_value resource = nullptr;
    napi_get_reference_value(env_, resource_, &resource);
    napi_callback_scope scope = nullptr;
    napi_open_callback_scope(env_, resource, async_context_, &scope);
    open = connection_.read();
    napi_close_callback_scope(env_, scope);  // runs nextTicks and microtasks: handlers answer here
  }
  if (!open) ::_exit(0);  // the daemon is gone or wants this instance gone: nobody is left to tell
  connection_.add_busy(uv_hrtime() - begin);
  flush();
}

// --- What comes --------------------------------------------------------------------------------------

void Bridge::on_request(const bridge::Request& request) {
  const HandleScope handles(env_);
  const auto& head = request.head;
  // "invocation\0deadline in ms since the epoch\0remote address\0scheme\0traceparent\0kind"
  const auto deadline_ms = (static_cast<std::int64_t>(head.deadline) + epoch_offset_) / 1'000'000;
  text_.assign(head.invocation).push_back('\0');
  text_.append(std::to_string(deadline_ms)).push_back('\0');
  text_.append(head.remote).push_back('\0');
  text_.append(head.scheme).push_back('\0');
  text_.append(bridge::header_value(head.headers, "traceparent")).push_back('\0');
  text_.append(request.event ? "event" : "http");

  napi_value chunk = request.body.empty() ? undefined(env_) : buffer(env_, request.body);
  napi_value more = nullptr;
  napi_get_boolean(env_, request.more, &more);
  call_back(on_request_, {number(env_, request.stream), latin1(env_, head.method), latin1(env_, head.target),
                          latin1(env_, head.headers), chunk, more, latin1(env_, text_)});
}

void Bridge::on_body(std::uint32_t stream, std::string_view chunk, bool last) {
  const HandleScope handles(env_);
  napi_value id = number(env_, stream);
  if (!chunk.empty()) call_back(on_body_, {id, buffer(env_, chunk)});
  if (last) call_back(on_body_, {id, null(env_)});
}

void Bridge::on_abort(std::uint32_t stream, wire::AbortReason reason) {
  const HandleScope handles(env_);
  const bool left = reason == wire::AbortReason::client;
  call_back(on_abort_, {number(env_, stream), latin1(env_, left ? "client" : "deadline")});
}

void Bridge::on_writable(std::uint32_t stream) {
  const HandleScope handles(env_);
  call_back(on_writable_, {number(env_, stream)});
}

void Bridge::on_stop() {
  const HandleScope handles(env_);
  call_back(on_stop_, {});
}

void Bridge::on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                              std::string_view body, bool last) {
  const HandleScope handles(env_);
  napi_value more = nullptr;
  napi_get_boolean(env_, !last, &more);
  call_back(on_call_response_, {number(env_, call), number(env_, status), latin1(env_, headers),
                                body.empty() ? undefined(env_) : buffer(env_, body), more});
}

void Bridge::on_call_body(std::uint32_t call, std::string_view chunk, bool last) {
  const HandleScope handles(env_);
  napi_value id = number(env_, call);
  if (!chunk.empty()) call_back(on_call_body_, {id, buffer(env_, chunk)});
  if (last) call_back(on_call_body_, {id, null(env_)});
}

void Bridge::on_call_writable(std::uint32_t call) {
  const HandleScope handles(env_);
  call_back(on_call_writable_, {number(env_, call)});
}

void Bridge::on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) {
  const HandleScope handles(env_);
  napi_value message = nullptr;
  napi_create_string_utf8(env_, error.message.data(), error.message.size(), &message);
  napi_value details = nullptr;
  napi_create_string_utf8(env_, error.details.data(), error.details.size(), &details);
  call_back(on_call_error_,
            {number(env_, call), number(env_, status), latin1(env_, error.type), message, details});
}

void Bridge::call_back(Callback which, std::initializer_list<napi_value> arguments) {
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

// --- What is answered --------------------------------------------------------------------------------

void Bridge::respond(std::uint32_t stream, std::uint32_t status, napi_value headers, napi_value body,
                     bool done) {
  std::string* out = connection_.begin_response(stream, status);
  if (out == nullptr) return;
  append_latin1(env_, headers, *out);
  connection_.begin_body();
  append_body(env_, body, *out);
  connection_.end_response(done);
}

void Bridge::respond_start(std::uint32_t stream, std::uint32_t status, napi_value headers) {
  text_.clear();
  append_latin1(env_, headers, text_);
  connection_.respond_start(stream, status, text_);
}

bool Bridge::respond_chunk(std::uint32_t stream, napi_value chunk) {
  if (type_of(env_, chunk) != napi_string) return connection_.respond_chunk(stream, bytes_of(env_, chunk));
  text_.clear();
  append_utf8(env_, chunk, text_);
  return connection_.respond_chunk(stream, text_);
}

void Bridge::respond_error(std::uint32_t stream, wire::ErrorKind kind, napi_value message, napi_value stack) {
  connection_.respond_error(stream, kind, utf8(env_, message), utf8(env_, stack));
}

// --- What is called ----------------------------------------------------------------------------------

napi_value Bridge::call(std::uint32_t stream, std::uint32_t kind, const std::array<napi_value, 5>& texts,
                        bool last, bool event) {
  // Name, method, target and headers in one text, then the body.
  std::array<std::size_t, 5> ends{};
  text_.clear();
  for (std::size_t i = 0; i < 4; ++i) {
    append_latin1(env_, texts[i], text_);
    ends[i] = text_.size();
  }
  append_body(env_, texts[4], text_);
  const std::string_view all = text_;
  const auto part = [&](std::size_t i) { return all.substr(ends[i - 1], ends[i] - ends[i - 1]); };
  const wire::CallHead head{
      static_cast<wire::CallKind>(kind), stream, all.substr(0, ends[0]), part(1), part(2), part(3)};
  const auto opened = connection_.calls().open(head, event, all.substr(ends[3]), last);
  return opened.call != 0 ? number(env_, opened.call) : latin1(env_, opened.problem);
}

bool Bridge::call_body(std::uint32_t call, napi_value chunk) {
  text_.clear();
  append_body(env_, chunk, text_);
  return connection_.calls().body(call, text_);
}

}  // namespace mayfly::node
