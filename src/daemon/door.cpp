#include "daemon/door.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

namespace mayfly::daemon {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

Result<tcp::endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos)
    return fail(std::make_error_code(std::errc::invalid_argument), "'" + text + "' is not ADDRESS:PORT");
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host.empty() ? "0.0.0.0" : host, error);
  const auto port = std::strtoul(text.c_str() + colon + 1, nullptr, 10);
  if (error || port > 65535)
    return fail(std::make_error_code(std::errc::invalid_argument), "'" + text + "' is not ADDRESS:PORT");
  return tcp::endpoint(address, static_cast<unsigned short>(port));
}

}  // namespace

Result<Endpoints> parse_endpoints(const cli::ServeOptions& options) {
  auto data = parse_endpoint(options.listen);
  if (!data) return propagate(data);
  auto admin = parse_endpoint(options.admin);
  if (!admin) return propagate(admin);
  return Endpoints{*data, *admin};
}

std::string text_of(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

Result<tcp::endpoint> Door::open(const tcp::endpoint& where) {
  boost::system::error_code error;
  acceptor_.open(where.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(where, error);
  if (!error) acceptor_.listen(4096, error);
  if (error) return fail(std::error_code(error), "listen on " + text_of(where) + ": " + error.message());
  acceptor_.non_blocking(true);
  accept();
  return acceptor_.local_endpoint();
}

void Door::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

void Door::accept() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    for (int i = 0; i < 256; ++i) {
      Fd socket(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!socket && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) return accept_later();
      if (!socket) break;
      auto* shard = shards_[next_++ % shards_.size()].get();
      shard->post([shard, moved = gateway::MovedConnection{transport(std::move(socket))}]() mutable {
        shard->adopt(std::move(moved));
      });
    }
    accept();
  });
}

gateway::Transport Door::transport(Fd socket) const {
  const int fd = socket.get();
  if (certificate_ == nullptr) return gateway::Transport(std::move(socket));
  return gateway::Transport(std::move(socket), std::make_unique<tls::Channel>(certificate_->context(), fd));
}

/// No descriptor is left for who knocks: asking again at once would only burn this thread's time.
void Door::accept_later() {
  pause_.expires_after(milliseconds(50));
  pause_.async_wait([this](const boost::system::error_code& error) {
    if (!error) accept();
  });
}

}  // namespace mayfly::daemon
