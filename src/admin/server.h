// The admin plane's HTTP/1.1 server.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "admin/route.h"
#include "admin/tokens.h"
#include "tls/certificate.h"

namespace mayfly::admin {

struct ServerOptions {
  std::string token{};                            ///< may do everything; never empty
  const Tokens* tokens = nullptr;                 ///< others; null: there are none
  const tls::Certificate* certificate = nullptr;  ///< null: plain HTTP
  std::vector<std::string> names{};  ///< by which it may be asked, besides address and localhost: asker.h
  std::filesystem::path upload_folder{};  ///< exists; uploads are kept here while they are handled
  /// For one more the oldest is closed that has shown no good token; if all have, it is answered 503.
  std::size_t max_connections = 256;
  std::uint32_t max_header = 32U << 10U;  ///< bytes
  /// From a request's first byte to its header's end; and for a handshake of TLS.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};  ///< between two requests, once a token was good
  std::uint64_t slowest = 8U << 10U;               ///< bytes of a body that must come each second, on average
  std::chrono::milliseconds stall_timeout{30'000};  ///< without a byte in or out, in the middle of a message
  std::chrono::milliseconds log_heartbeat{15'000};  ///< an empty line to those who follow a silent log
};

/// Serves the routes on one thread: that of the io_context. Destroy it after stop() has come back, or when
/// the io_context does not run any more.
class Server {
 public:
  Server(boost::asio::io_context& context, ServerOptions options, std::vector<Route> routes);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and accepts; gives where it listens (with the port, if it was 0).
  [[nodiscard]] Result<boost::asio::ip::tcp::endpoint> listen(const boost::asio::ip::tcp::endpoint& where);
  /// Accepts nothing more, ends followed logs and idle connections, and waits at most `grace` for the
  /// requests that are being handled; what is left then is cut off.
  [[nodiscard]] boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace mayfly::admin
