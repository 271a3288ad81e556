#include "server.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "output.h"

namespace mayfly::native {

Server::Server(Fd data, Handler handler) : connection_(std::move(data), *this, unused_), handler_(handler) {
  connection_.calls().listen(*this);
}

void Server::run() {
  for (;;) {
    turn();
    while (!open_.empty()) {
      handle(open_.front());
      open_.pop_front();
    }
    if (!leaving_) continue;
    drain_output();
    connection_.drain();
    ::_exit(0);
  }
}

void Server::handle(Exchange& exchange) {
  const auto began = bridge::monotonic_now();
  set_output_invocation(exchange.invocation());
  mayfly_request request{exchange};
  mayfly_response response{exchange};
  handler_(&request, &response);
  flush_output();
  set_output_invocation({});
  connection_.add_busy(bridge::monotonic_now() - began);
  exchange.finish();
}

void Server::turn() {
  connection_.flush();
  const auto events = static_cast<short>(POLLIN | (connection_.wants_write() ? POLLOUT : 0));
  std::array<pollfd, 2> sockets{{{connection_.fd(), events, 0}, {output_waits_for(), POLLOUT, 0}}};
  ::poll(sockets.data(), sockets.size(), -1);
  if (sockets[1].revents != 0) resume_output();
  if ((sockets[0].revents & ~POLLOUT) != 0 && !connection_.read()) ::_exit(0);
}

void Server::look() {
  connection_.flush();
  if (!connection_.read()) ::_exit(0);
}

void Server::fatal(wire::FatalKind kind, std::string_view message, std::string_view stack) {
  drain_output();
  connection_.fatal(kind, message, stack);
}

std::string_view Server::invocation() const {
  return open_.empty() ? std::string_view() : std::string_view(open_.front().invocation());
}

Exchange* Server::find(std::uint32_t stream) {
  const auto found = std::ranges::find(open_, stream, &Exchange::stream);
  return found == open_.end() ? nullptr : &*found;
}

void Server::on_body(std::uint32_t stream, std::string_view chunk, bool last) {
  if (Exchange* exchange = find(stream)) exchange->on_body(chunk, last);
}

void Server::on_abort(std::uint32_t stream, wire::AbortReason) {
  if (Exchange* exchange = find(stream)) exchange->on_abort();
}

void Server::on_writable(std::uint32_t stream) {
  if (Exchange* exchange = find(stream)) exchange->on_writable();
}

// --- Calls -------------------------------------------------------------------------------------------

OutgoingCall* Server::find_call(std::uint32_t id) {
  const auto found = std::ranges::find(calls_, id, &OutgoingCall::id);
  return found == calls_.end() ? nullptr : *found;
}

void Server::on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                              std::string_view body, bool last) {
  if (OutgoingCall* one = find_call(call)) one->on_response(status, headers, body, last);
}

void Server::on_call_body(std::uint32_t call, std::string_view chunk, bool last) {
  if (OutgoingCall* one = find_call(call)) one->on_body(chunk, last);
}

void Server::on_call_writable(std::uint32_t call) {
  if (OutgoingCall* one = find_call(call)) one->on_writable();
}

void Server::on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) {
  if (OutgoingCall* one = find_call(call)) one->on_error(status, error.type, error.message);
}

}  // namespace mayfly::native
