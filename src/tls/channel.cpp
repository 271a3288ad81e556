#include "tls/channel.h"

#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace mayfly::tls {

Channel::Channel(const ContextPtr& context, int socket) : connection_(::SSL_new(context.get())) {
  if (connection_ && ::SSL_set_fd(connection_.get(), socket) != 1) connection_.reset();
  if (connection_) ::SSL_set_accept_state(connection_.get());
}

Channel::Step Channel::handshake() {
  if (!connection_ || broken_) return Step::failed;
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(connection_.get());
  if (result == 1) {
    established_ = true;
    return Step::done;
  }
  switch (::SSL_get_error(connection_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::wants_input;
    case SSL_ERROR_WANT_WRITE:
      return Step::wants_output;
    default:
      broken_ = true;
      return Step::failed;
  }
}

ssize_t Channel::receive(char* to, std::size_t size) {
  ::ERR_clear_error();
  const int got = ::SSL_read(connection_.get(), to, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
  return got > 0 ? got : failed(got);
}

ssize_t Channel::send(const char* from, std::size_t size) {
  ::ERR_clear_error();
  const int sent =
      ::SSL_write(connection_.get(), from, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
  return sent > 0 ? sent : failed(sent);
}

ssize_t Channel::failed(int result) {
  switch (::SSL_get_error(connection_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:  // after these nothing may be said any more, not even goodbye
      broken_ = true;
      errno = EPROTO;
      return -1;
  }
}

std::size_t Channel::pending() const { return static_cast<std::size_t>(::SSL_pending(connection_.get())); }

void Channel::goodbye() {
  if (!established_ || broken_) return;
  ::ERR_clear_error();
  ::SSL_shutdown(connection_.get());
}

}  // namespace mayfly::tls
