// A client's socket, with TLS on it or without.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <utility>

#include "base/fd.h"
#include "tls/channel.h"

namespace mayfly::gateway {

/// Owns the socket, which is non-blocking. Without TLS every call is the system's own.
class Transport {
 public:
  Transport() = default;
  Transport(Fd socket,  // NOLINT(google-explicit-constructor): a socket is a transport
            std::unique_ptr<tls::Channel> channel = nullptr)
      : socket_(std::move(socket)), tls_(std::move(channel)) {}

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool encrypted() const { return tls_ != nullptr; }
  /// Requests can come.
  [[nodiscard]] bool ready() const { return !tls_ || tls_->established(); }
  [[nodiscard]] tls::Channel::Step handshake() { return tls_->handshake(); }

  /// As recv(2) and send(2).
  [[nodiscard]] ssize_t receive(char* to, std::size_t size) {
    return tls_ ? tls_->receive(to, size) : ::recv(socket_.get(), to, size, 0);
  }
  [[nodiscard]] ssize_t send(const char* from, std::size_t size) {
    return tls_ ? tls_->send(from, size) : ::send(socket_.get(), from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  /// Bytes that have come and that the reactor does not know of.
  [[nodiscard]] std::size_t pending() const { return tls_ ? tls_->pending() : 0; }

  /// What was sent is all: a client can tell it from a connection that was cut.
  void goodbye() {
    if (tls_) tls_->goodbye();
  }
  void shut_down() {
    goodbye();
    ::shutdown(socket_.get(), SHUT_WR);
  }
  void reset() {
    tls_.reset();
    socket_.reset();
  }

 private:
  Fd socket_;
  std::unique_ptr<tls::Channel> tls_;
};

}  // namespace mayfly::gateway
