// The bridge: an instance's end of the data socket. Reads frames in batches, calls the JavaScript
// handlers for them inside one callback scope (so microtasks run once a batch), and writes what they
// answered with one write.
#pragma once

#include <uv.h>

#include <deque>
#include <string>
#include <vector>

#include "base/fd.h"
#include "bridge/log_sender.h"
#include "napi.h"
#include "wire/frame.h"

namespace mayfly::node {

class Bridge {
 public:
  /// Begin to serve `data`. `callbacks` is the object of functions that boot.js passes. Never destroyed.
  Bridge(napi_env env, Fd data, napi_value callbacks, bridge::LogSender& log);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;
  ~Bridge() = delete;

  // What JavaScript calls. An unknown or finished stream is ignored: its caller has left.
  void respond(std::uint32_t stream, std::uint32_t status, napi_value headers, napi_value body, bool done);
  void respond_start(std::uint32_t stream, std::uint32_t status, napi_value headers);
  /// False when the window is full: wait for onWritable.
  [[nodiscard]] bool respond_chunk(std::uint32_t stream, napi_value chunk);
  void respond_end(std::uint32_t stream);
  void respond_error(std::uint32_t stream, wire::ErrorKind kind, napi_value message, napi_value stack);
  void request_credit(std::uint32_t stream, std::uint32_t bytes);
  void done(std::uint32_t stream);
  [[noreturn]] void fatal(wire::FatalKind kind, const std::string& message, const std::string& stack);
  void log(wire::LogLevel level, std::string_view text, std::uint32_t full_length, std::uint32_t stream);

 private:
  enum Callback { on_request, on_body, on_abort, on_writable, on_stop, kCallbacks };

  /// One invocation. Streams live in slots named by the low bits of their number (wire::slot_of).
  struct Stream {
    std::uint32_t id = 0;  ///< 0: the slot is free
    std::string invocation;
    std::int64_t window = 0;  ///< bytes of answer that may still be sent
    std::string pending;      ///< answer that waits for the window
    bool head_sent = false;
    bool ending = false;     ///< the answer ends when `pending` is sent
    bool done = false;       ///< JavaScript has said done
    bool told_full = false;  ///< JavaScript waits for onWritable
  };

  Stream* find(std::uint32_t id);
  Stream& open(std::uint32_t id);
  void finish(Stream& stream);
  void pump(Stream& stream);

  void on_readable();
  bool read_batch();
  void dispatch(const wire::Frame& frame);
  void dispatch_invoke(const wire::Frame& frame);
  void dispatch_credit(const wire::Frame& frame);
  void call(Callback which, std::initializer_list<napi_value> arguments);

  void flush();
  void append_usage();
  void want_writable(bool on);

  napi_env env_;
  Fd data_;
  bridge::LogSender& log_;
  wire::FrameDecoder decoder_;
  std::string out_;
  std::deque<Stream> slots_;  // as many as were ever in use at once
  std::uint32_t open_streams_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t busy_ = 0;           // ns in which the event loop was inside a batch
  std::uint64_t usage_sent_at_ = 0;  // uv_hrtime of the last usage frame
  std::uint64_t usage_sent_completed_ = 0;
  bool stopping_ = false;
  bool writable_wanted_ = false;
  uv_poll_t poll_{};
  uv_prepare_t prepare_{};
  napi_async_context async_context_ = nullptr;
  napi_ref resource_ = nullptr;
  std::array<napi_ref, kCallbacks> callbacks_{};
  std::string info_;               // of the invocation that is being dispatched
  std::int64_t epoch_offset_ = 0;  // of this batch
};

}  // namespace mayfly::node
