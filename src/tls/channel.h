// TLS on a non-blocking socket, with the manners of recv(2) and send(2).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>

#include "tls/context.h"

namespace mayfly::tls {

/// The server's end of one connection. The descriptor stays its user's own. Not for two threads at once, but
/// it may go from one to another.
class Channel {
 public:
  Channel(const ContextPtr& context, int socket);

  enum class Step { done, wants_input, wants_output, failed };
  /// Goes on with the handshake as far as it can.
  [[nodiscard]] Step handshake();
  [[nodiscard]] bool established() const { return established_; }

  /// As recv(2): 0 when the other end has said that no more comes; −1 with EAGAIN in errno, or another error.
  [[nodiscard]] ssize_t receive(char* to, std::size_t size);
  /// As send(2). What could not be sent (EAGAIN) must come first the next time, more may follow it.
  [[nodiscard]] ssize_t send(const char* from, std::size_t size);
  /// Bytes that were taken from the socket and not received yet: poll(2) does not know of them.
  [[nodiscard]] std::size_t pending() const;
  /// Says that no more will be sent, if the socket takes it.
  void goodbye();

 private:
  [[nodiscard]] ssize_t failed(int result);

  struct Free {
    void operator()(SSL* connection) const { ::SSL_free(connection); }
  };
  std::unique_ptr<SSL, Free> connection_;
  bool established_ = false;
  bool broken_ = false;
};

}  // namespace mayfly::tls
