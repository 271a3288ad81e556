// The data plane's door, and the addresses that the daemon listens on.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/serve_options.h"
#include "daemon/shard.h"
#include "tls/certificate.h"

namespace mayfly::daemon {

struct Endpoints {
  boost::asio::ip::tcp::endpoint data;
  boost::asio::ip::tcp::endpoint admin;
};

/// Of `--listen` and `--admin`.
[[nodiscard]] Result<Endpoints> parse_endpoints(const cli::ServeOptions& options);
[[nodiscard]] std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint);

/// Accepts on the control thread and hands connections to the shards in turn. What it refers to outlives it.
class Door {
 public:
  /// `certificate`, if there is one, is that of TLS.
  Door(boost::asio::io_context& control, std::vector<std::unique_ptr<Shard>>& shards,
       const tls::Certificate* certificate)
      : acceptor_(control), pause_(control), shards_(shards), certificate_(certificate) {}
  /// Where it listens.
  [[nodiscard]] Result<boost::asio::ip::tcp::endpoint> open(const boost::asio::ip::tcp::endpoint& where);
  void close();

 private:
  void accept();
  [[nodiscard]] gateway::Transport transport(Fd socket) const;
  void accept_later();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::vector<std::unique_ptr<Shard>>& shards_;
  const tls::Certificate* certificate_;
  std::size_t next_ = 0;
};

}  // namespace mayfly::daemon
