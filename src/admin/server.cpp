#include "admin/server.h"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "admin/session.h"

namespace mayfly::admin {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

/// Asio makes its sockets inheritable.
void close_on_exec(int fd) { ::fcntl(fd, F_SETFD, FD_CLOEXEC); }

}  // namespace

/// Shared by the acceptor's coroutine and every session's, so it lives as long as any of them.
struct Server::Core : std::enable_shared_from_this<Core> {
  Core(asio::io_context& context_in, ServerOptions options_in, std::vector<Route> routes)
      : context(context_in),
        options(std::move(options_in)),
        table(std::move(routes)),
        acceptor(context),
        retry(context),
        changed(context) {
    changed.expires_at(asio::steady_timer::time_point::max());
  }

  asio::awaitable<void> accept();
  void start(tcp::socket socket);
  [[nodiscard]] std::size_t served() const;
  bool make_room();
  void stop_sessions();
  void abort_sessions();

  asio::io_context& context;
  const ServerOptions options;
  const RouteTable table;
  tcp::acceptor acceptor;
  asio::steady_timer retry;    // when accepting failed for want of descriptors
  asio::steady_timer changed;  // cancelled when a session or the acceptor has ended
  struct Connection {
    std::shared_ptr<Session> session;
    bool is_served = true;  ///< no: it is refused, or has made room
  };
  std::map<std::uint64_t, Connection> connections;  // the oldest first
  std::uint64_t last_connection = 0;
  bool accepting = false;
};

asio::awaitable<void> Server::Core::accept() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kNoThrow);
    if (!error) {
      close_on_exec(socket.native_handle());
      start(std::move(socket));
    } else if (error != asio::error::operation_aborted) {
      retry.expires_after(std::chrono::milliseconds(100));
      co_await retry.async_wait(kNoThrow);
    }
  }
}

void Server::Core::start(tcp::socket socket) {
  if (connections.size() >= 2 * options.max_connections) return;  // not even worth an answer
  const bool is_served = served() < options.max_connections || make_room();
  auto session = std::make_shared<Session>(std::move(socket), options, table);
  const auto number = ++last_connection;
  connections.emplace(number, Connection{session, is_served});
  asio::co_spawn(context, is_served ? session->run() : session->refuse(),
                 [core = shared_from_this(), session, number](const std::exception_ptr&) {
                   core->connections.erase(number);
                   core->changed.cancel();
                 });
}

std::size_t Server::Core::served() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(connections, [](const auto& each) { return each.second.is_served; }));
}

/// Who has shown no token must not keep out those who have one: the oldest of them goes. False: all have.
bool Server::Core::make_room() {
  const auto oldest = std::ranges::find_if(connections, [](const auto& each) {
    return each.second.is_served && !each.second.session->is_trusted();
  });
  if (oldest == connections.end()) return false;
  oldest->second.is_served = false;
  oldest->second.session->abort();
  return true;
}

void Server::Core::stop_sessions() {
  const auto all = connections;
  for (const auto& [number, connection] : all) connection.session->stop();
}

void Server::Core::abort_sessions() {
  const auto all = connections;
  for (const auto& [number, connection] : all) connection.session->abort();
}

Server::Server(asio::io_context& context, ServerOptions options, std::vector<Route> routes)
    : core_(std::make_shared<Core>(context, std::move(options), std::move(routes))) {}

Server::~Server() {
  boost::system::error_code ignored;
  core_->acceptor.close(ignored);
  core_->retry.cancel();
  core_->abort_sessions();
}

Result<tcp::endpoint> Server::listen(const tcp::endpoint& where) {
  auto& acceptor = core_->acceptor;
  boost::system::error_code error;
  const auto failed = [&](const char* doing) {
    const std::string address = where.address().to_string() + ":" + std::to_string(where.port());
    boost::system::error_code ignored;
    acceptor.close(ignored);
    return fail_errno(std::string("admin plane: ") + doing + " " + address, error.value());
  };
  acceptor.open(where.protocol(), error);
  if (error) return failed("open a socket for");
  close_on_exec(acceptor.native_handle());
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(where, error);
  if (error) return failed("bind");
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listen on");
  core_->accepting = true;
  asio::co_spawn(core_->context, core_->accept(), [core = core_](const std::exception_ptr&) {
    core->accepting = false;
    core->changed.cancel();
  });
  return acceptor.local_endpoint();
}

asio::awaitable<void> Server::stop(std::chrono::milliseconds grace) {
  const auto core = core_;
  boost::system::error_code ignored;
  core->acceptor.close(ignored);
  core->retry.cancel();
  core->stop_sessions();
  const auto end = std::chrono::steady_clock::now() + grace;
  bool cut_off = false;
  while (!core->connections.empty() || core->accepting) {
    if (!cut_off && std::chrono::steady_clock::now() >= end) {
      cut_off = true;
      core->abort_sessions();
    }
    // Aborted sessions end as soon as their handler does; each of those has a deadline of its own.
    core->changed.expires_at(cut_off ? asio::steady_timer::time_point::max() : end);
    co_await core->changed.async_wait(kNoThrow);
  }
}

}  // namespace mayfly::admin
