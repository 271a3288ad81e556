// An instance's end of the data socket, for every runtime: reads frames in batches, keeps the flow control of
// each stream, and writes what was answered with one write. What an invocation means to a language is the
// runtime's; it gets calls on a Service, and answers with calls on the Connection.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/fork_guard.h"
#include "bridge/calls.h"
#include "bridge/log_sender.h"
#include "wire/frame.h"

namespace mayfly::bridge {

/// One invocation as it begins. The views are valid during Service::on_request only.
struct Request {
  std::uint32_t stream = 0;
  wire::InvokeHead head;
  std::string_view body{};  ///< the first part of it
  bool more = false;        ///< further parts come with on_body
  bool event = false;       ///< the body is an event's payload, not an HTTP request
};

/// What a runtime does with what the daemon sends. Called from inside Connection::read.
class Service {
 public:
  virtual ~Service() = default;
  virtual void on_request(const Request& request) = 0;
  /// The next part of a request's body. Give credit for it with request_credit once it is consumed.
  virtual void on_body(std::uint32_t stream, std::string_view chunk, bool last) = 0;
  /// The answer is not wanted any more. The stream stays open until done().
  virtual void on_abort(std::uint32_t stream, wire::AbortReason reason) = 0;
  /// After respond_chunk said false: more may be sent.
  virtual void on_writable(std::uint32_t stream) = 0;
  /// The daemon wants this instance to leave, and nothing is open any more. Called once, perhaps from
  /// inside done().
  virtual void on_stop() = 0;
};

/// Single-threaded. A call that names an unknown or finished stream is ignored: its caller has left.
class Connection {
 public:
  /// `data` is made non-blocking; none: until open(), which comes before all else. Service and log outlive
  /// the connection. The first flush() tells the daemon that this instance serves.
  Connection(Fd data, Service& service, LogSender& log);
  void open(Fd data);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- The event loop's side -----------------------------------------------------------------------
  /// To be watched for reading, and for writing while wants_write().
  [[nodiscard]] int fd() const { return data_.get(); }
  /// This process is a fork of the instance that the connection was made for: it has no part in it. What it
  /// answers goes nowhere, and flush() ends it.
  [[nodiscard]] bool forked() const { return !data_; }
  [[nodiscard]] bool wants_write() const { return !out_.empty(); }
  /// To be watched for writing while log_waits(), and then flush() is to be called: lines that the socket of
  /// the log did not take.
  [[nodiscard]] int log_fd() const { return log_.fd(); }
  [[nodiscard]] bool log_waits() const { return log_.waiting(); }
  void flush_log() { log_.flush(); }
  /// Reads what there is, a bounded amount, and calls the service for it. False when the daemon is gone,
  /// or speaks nonsense: then end the process.
  [[nodiscard]] bool read();
  /// Sends what waits, as far as the socket takes it. Call before the loop waits. Ends the process when
  /// the daemon is gone.
  void flush();
  /// Sends all that waits, and waits for the daemon to take it: answers at most 10 s, lines of the log 1 s.
  /// Call before the process leaves.
  void drain();
  /// Nanoseconds in which this instance could do nothing else; what scaling is decided by.
  void add_busy(std::uint64_t nanoseconds) { busy_ += nanoseconds; }
  /// A child that works for invocations and stays: what it uses is told while it lives. Others count when
  /// they were waited for.
  void count_child(pid_t pid) { child_ = pid; }

  // --- Answers -------------------------------------------------------------------------------------
  /// A whole answer. headers: "name NUL value NUL …", names in lower case. `done`: the invocation is over
  /// and its slot free as soon as all is sent; otherwise done() follows. Headers longer than
  /// wire::kMaxAnswerHeaders become an error in the answer's place; so in each way to answer.
  void respond(std::uint32_t stream, std::uint32_t status, std::string_view headers, std::string_view body,
               bool done);
  /// The same without a copy: append the headers to what begin_response returns (null: the stream is not
  /// there, or has its head), call begin_body, append the body, call end_response. No other call between.
  [[nodiscard]] std::string* begin_response(std::uint32_t stream, std::uint32_t status);
  void begin_body();
  void end_response(bool done);
  /// The head of an answer that is streamed.
  void respond_start(std::uint32_t stream, std::uint32_t status, std::string_view headers);
  /// False when the window is full: what was given is kept and sent later; wait for on_writable.
  [[nodiscard]] bool respond_chunk(std::uint32_t stream, std::string_view chunk);
  void respond_end(std::uint32_t stream);
  void respond_error(std::uint32_t stream, wire::ErrorKind kind, std::string_view message,
                     std::string_view stack);
  /// Let the client send so many more bytes of this request's body.
  void request_credit(std::uint32_t stream, std::uint32_t bytes);
  /// Nothing follows for this invocation: its slot is free.
  void done(std::uint32_t stream);
  /// The daemon took it back before it began: nothing is said about it.
  void forget(std::uint32_t stream);

  /// What invocations call while they run.
  [[nodiscard]] Calls& calls() { return calls_; }

  /// Says why, sends what waits for at most 10 s, and ends the process: with status 1, or for
  /// FatalKind::exit with the one that `message` holds.
  [[noreturn]] void fatal(wire::FatalKind kind, std::string_view message, std::string_view stack);

  /// The id of a stream's invocation; empty when it is not open.
  [[nodiscard]] std::string_view invocation(std::uint32_t stream) const;
  void log(wire::LogLevel level, std::string_view text, std::uint32_t full_length, std::uint32_t stream);
  [[nodiscard]] bool has_head(std::uint32_t stream) const;
  /// Whether something of it may still have to be sent.
  [[nodiscard]] bool is_open(std::uint32_t stream) const { return find(stream) != nullptr; }
  [[nodiscard]] std::uint32_t open_streams() const { return open_streams_; }

 private:
  /// One invocation. Streams live in slots named by the low bits of their number (wire::slot_of).
  struct Stream {
    std::uint32_t id = 0;  ///< 0: the slot is free
    std::string invocation;
    std::int64_t window = 0;  ///< bytes of answer that may still be sent
    std::string pending;      ///< answer that waits for the window; empty when nothing does
    std::size_t sent = 0;     ///< of `pending`
    bool head_sent = false;
    bool ending = false;     ///< the answer ends when `pending` is sent
    bool done = false;       ///< done() was called
    bool told_full = false;  ///< the runtime waits for on_writable
    bool aborted = false;    ///< nobody takes the answer, and no credit comes for it
  };

  [[nodiscard]] const Stream* find(std::uint32_t id) const;
  [[nodiscard]] Stream* find(std::uint32_t id);
  Stream& open(std::uint32_t id);
  void finish(Stream& stream);
  void close(Stream& stream);
  void pump(Stream& stream);
  void refuse_headers(Stream& stream, std::size_t size);
  static void advance(Stream& stream, std::size_t sent);
  void dispatch(const wire::Frame& frame);
  void dispatch_invoke(const wire::Frame& frame);
  void dispatch_abort(const wire::Frame& frame);
  void dispatch_credit(const wire::Frame& frame);
  void append_usage();
  static void in_child(void* self);

  Fd data_;
  ForkGuard guard_{&Connection::in_child, this};
  Service& service_;
  LogSender& log_;
  wire::FrameDecoder decoder_;
  std::string out_;
  Calls calls_{out_};
  std::deque<Stream> slots_;  // as many as were ever in use at once
  std::uint32_t open_streams_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t busy_ = 0;
  std::uint64_t usage_sent_at_ = 0;  // monotonic ns of the last usage frame
  std::uint64_t usage_sent_completed_ = 0;
  pid_t child_ = 0;
  bool stopping_ = false;
  // The answer that is being appended: where its frame, its headers and its body begin in `out_`.
  Stream* answering_ = nullptr;
  std::size_t frame_at_ = 0;
  std::size_t headers_at_ = 0;
  std::size_t body_at_ = 0;
};

/// CLOCK_MONOTONIC in nanoseconds.
[[nodiscard]] std::uint64_t monotonic_now();
/// Nanoseconds to add to CLOCK_MONOTONIC to get the time since the epoch.
[[nodiscard]] std::int64_t epoch_offset(std::uint64_t monotonic_now);
/// The first value of a header in wire form; empty if there is none. The name in lower case.
[[nodiscard]] std::string_view header_value(std::string_view headers, std::string_view name);

}  // namespace mayfly::bridge
