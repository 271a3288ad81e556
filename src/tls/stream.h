// A TCP stream of Beast's, with TLS on it or without, as one type. Heavy: for sources, not for headers of
// many.
#pragma once

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <optional>

#include "tls/context.h"

namespace mayfly::tls {

/// An AsyncReadStream and AsyncWriteStream whose operations time out as those of boost::beast::tcp_stream do.
class Stream {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;

  explicit Stream(boost::asio::ip::tcp::socket socket) : tcp_(std::move(socket)) {}
  explicit Stream(boost::asio::io_context& context) : tcp_(context) {}

  /// From now on TLS, over a connection that is its own from then on: OpenSSL's, not null, without a
  /// descriptor.
  void encrypt(SSL* connection) { tls_.emplace(tcp_, connection); }
  [[nodiscard]] bool encrypted() const { return tls_.has_value(); }

  [[nodiscard]] executor_type get_executor() { return tcp_.get_executor(); }
  [[nodiscard]] boost::asio::ip::tcp::socket& socket() { return tcp_.socket(); }
  [[nodiscard]] boost::beast::tcp_stream& tcp() { return tcp_; }
  void expires_after(std::chrono::nanoseconds time) { tcp_.expires_after(time); }
  void expires_at(std::chrono::steady_clock::time_point time) { tcp_.expires_at(time); }
  void expires_never() { tcp_.expires_never(); }
  void close() { tcp_.close(); }

  template <class Token>
  auto async_handshake(boost::asio::ssl::stream_base::handshake_type type, Token&& token) {
    return tls_->async_handshake(type, std::forward<Token>(token));
  }
  /// Says goodbye and waits for the other end's.
  template <class Token>
  auto async_shutdown(Token&& token) {
    return tls_->async_shutdown(std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return tcp_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return tcp_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  boost::beast::tcp_stream tcp_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
};

}  // namespace mayfly::tls
