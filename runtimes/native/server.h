// An instance at work: reads invocations one after another and calls the handler for each.
#pragma once

#include <list>

#include "call.h"
#include "exchange.h"

namespace mayfly::native {

using Handler = void (*)(mayfly_request*, mayfly_response*);

/// Single-threaded; the daemon may send an invocation before the last one is done: it waits here.
class Server final : private bridge::Service, private bridge::CallService, private Wire {
 public:
  Server(Fd data, Handler handler);

  /// Tells the daemon that this instance serves, and serves until it is to leave.
  [[noreturn]] void run();
  /// Ends the process with a typed reason; see bridge::Connection::fatal.
  [[noreturn]] void fatal(wire::FatalKind kind, std::string_view message, std::string_view stack);
  /// See bridge::Connection::forked.
  [[nodiscard]] bool forked() const { return connection_.forked(); }
  /// Of the invocation that runs; empty between two.
  [[nodiscard]] std::string_view invocation() const;

 private:
  void on_request(const bridge::Request& request) override {
    open_.emplace_back(static_cast<Wire&>(*this), request);
  }
  void on_body(std::uint32_t stream, std::string_view chunk, bool last) override;
  void on_abort(std::uint32_t stream, wire::AbortReason reason) override;
  void on_writable(std::uint32_t stream) override;
  void on_stop() override { leaving_ = true; }
  void on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                        std::string_view body, bool last) override;
  void on_call_body(std::uint32_t call, std::string_view chunk, bool last) override;
  void on_call_writable(std::uint32_t call) override;
  void on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) override;

  void turn() override;
  void look() override;
  bridge::Connection& connection() override { return connection_; }
  void add(OutgoingCall& call) override { calls_.push_back(&call); }
  void remove(OutgoingCall& call) override { std::erase(calls_, &call); }
  OutgoingCall* find_call(std::uint32_t id);

  void handle(Exchange& exchange);
  Exchange* find(std::uint32_t stream);

  bridge::LogSender unused_;  // lines go through output.h
  bridge::Connection connection_;
  Handler handler_;
  std::list<Exchange> open_;  // the first one runs
  std::vector<OutgoingCall*> calls_;
  bool leaving_ = false;
};

/// What functions call, see mayfly.h.
[[nodiscard]] const mayfly_host& host();
/// What a function's init said with init_failed; empty: nothing.
[[nodiscard]] const std::string& init_failure();

}  // namespace mayfly::native
