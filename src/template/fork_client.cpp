#include "template/fork_client.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

namespace mayfly::tmpl {
namespace {

/// Then others of the thread have their turn.
constexpr int kMessagesAtOnce = 64;

struct ForkMessage {
  std::uint64_t parts = 0;  // fork_part
  std::string text;
  std::vector<int> fds;
};

ForkMessage message_of(const Payload& payload, int channel, int log) {
  ForkMessage message{0, payload.json, {channel, log}};
  if (payload.document) {
    message.parts |= wire::fork_part::kDocument;
    message.fds.push_back(payload.document.get());
  }
  if (payload.temporary) {
    message.parts |= wire::fork_part::kTemporary;
    message.fds.push_back(payload.temporary.get());
  }
  if (payload.box) {
    message.parts |= wire::fork_part::kBox | (payload.box->box.namespaces ? wire::fork_part::kOwnPids : 0);
    message.text = sandbox::encode(payload.box->box);
    for (const auto& fd : payload.box->descriptors) message.fds.push_back(fd.get());
  }
  if (payload.offers) {
    message.parts |= wire::fork_part::kOffers;
    message.fds.push_back(payload.offers.get());
  }
  for (const auto& file : payload.files) message.fds.push_back(file.get());
  return message;
}

}  // namespace

ForkClient::ForkClient(const boost::asio::any_io_executor& executor, Fd control, Handlers handlers)
    : socket_(executor, control.release()), handlers_(std::move(handlers)) {}

void ForkClient::start() { wait(); }

void ForkClient::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (!error) self->receive();
                     });
}

void ForkClient::receive() {
  for (int handled = 0; handled < kMessagesAtOnce && !closed_; ++handled) {
    auto message = wire::receive_control(socket_.native_handle());
    const bool is_empty = message && !*message;
    if (is_empty) break;
    if (!message || !handle(**message)) return give_up();
  }
  if (!closed_) wait();
}

void ForkClient::give_up() {
  if (closed_) return;
  const auto closed = std::exchange(handlers_.closed, {});
  close();
  if (closed) closed();
}

bool ForkClient::handle(wire::ControlMessage& message) {
  using wire::ControlType;
  if (message.type == ControlType::ready || message.type == ControlType::failed) {
    const auto report =
        std::exchange(message.type == ControlType::ready ? handlers_.ready : handlers_.failed, {});
    if (report) report(std::move(message.payload));
    return report != nullptr;
  }
  const auto found = children_.find(message.token);
  if (found == children_.end()) return false;
  if (message.type == ControlType::forked) {
    // The handler may ask for another fork, which changes the map: take what is needed out of it first.
    const auto forked = std::exchange(found->second.forked, {});
    if (forked) forked(message.fds.empty() ? Fd() : std::move(message.fds.front()));
    return forked != nullptr;
  }
  const auto child = std::move(found->second);
  children_.erase(found);
  const bool was_born = child.forked == nullptr;
  if (message.type == ControlType::fork_failed && !was_born) {
    child.forked(fail_errno("fork an instance", static_cast<int>(message.value)));
    return true;
  }
  if (message.type != ControlType::exited || !was_born) return false;
  std::uint64_t cpu = 0;
  if (message.payload.size() == sizeof cpu) std::memcpy(&cpu, message.payload.data(), sizeof cpu);
  constexpr std::uint64_t kMost = INT64_MAX;
  if (child.exited)
    child.exited(static_cast<int>(message.value),
                 nanoseconds(static_cast<std::int64_t>(std::min(cpu, kMost))));
  return true;
}

void ForkClient::fork(const Payload& payload, int channel, int log, ChildHandlers child) {
  const auto token = next_token_++;
  const auto message = message_of(payload, channel, log);
  Result<void> sent = closed_
                          ? fail(std::make_error_code(std::errc::connection_reset), "the fork server is gone")
                          : wire::send_control(socket_.native_handle(), wire::ControlType::fork, token,
                                               message.parts, message.text, message.fds);
  if (!sent) {
    // Not from inside the call: who asks must not find its request failed before it was made.
    auto failed = std::make_shared<Result<void>>(std::move(sent));
    boost::asio::post(socket_.get_executor(), [forked = std::move(child.forked), failed] {
      if (forked) forked(propagate(*failed));
    });
    return;
  }
  children_.emplace(token, std::move(child));
}

void ForkClient::close() {
  if (std::exchange(closed_, true)) return;
  boost::system::error_code ignored;
  socket_.close(ignored);
  // Handlers may hold what holds this object: let them go, but not from inside one of them.
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->handlers_ = {};
    self->children_.clear();
  });
}

}  // namespace mayfly::tmpl
