// A connection to a server on 127.0.0.1, for the load generators.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/fd.h"

namespace mayfly::bench {

[[noreturn]] inline void fail(const std::string& doing) {
  throw std::runtime_error(doing + ": " + std::strerror(errno));
}

/// It stands, does not block, and sends at once. Throws std::runtime_error.
inline Fd connect_to(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

inline void send_all(const Fd& socket, const std::string& bytes) {
  // What is sent fits into the socket's buffer: one small message at a time.
  if (!bytes.empty() &&
      ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    fail("send");
}

/// Appends what is there. Throws if the other side has closed.
inline void receive(const Fd& socket, std::string& received) {
  char buffer[16384];
  const auto n = ::recv(socket.get(), buffer, sizeof buffer, 0);
  if (n > 0) {
    received.append(buffer, static_cast<std::size_t>(n));
    return;
  }
  if (n == 0) throw std::runtime_error("the server has closed the connection");
  if (errno != EAGAIN && errno != EINTR) fail("recv");
}

}  // namespace mayfly::bench
