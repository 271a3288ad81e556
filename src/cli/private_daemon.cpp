#include "cli/private_daemon.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <csignal>

#include "cli/error.h"
#include "cli/http_client.h"
#include "cli/input.h"

namespace mayfly::cli {
namespace {

using namespace std::chrono_literals;

/// The wanted port of 127.0.0.1 if nobody has it, else any that is free; 0 if there is none. `taken` keeps
/// it until it is given to the daemon.
std::uint16_t free_port(std::uint16_t wanted, Fd& taken) {
  for (const std::uint16_t port : {wanted, std::uint16_t{0}}) {
    taken = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(taken.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<struct sockaddr*>(&address);
    if (::bind(taken.get(), any, size) == 0 && ::getsockname(taken.get(), any, &size) == 0)
      return ntohs(address.sin_port);
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<PrivateDaemon>> PrivateDaemon::start() {
  std::unique_ptr<PrivateDaemon> daemon(new PrivateDaemon);
  if (daemon->folder_.path().empty()) return fail_errno("make a folder for a daemon");
  Fd data_port;
  Fd admin_port;
  const auto data = "127.0.0.1:" + std::to_string(free_port(8080, data_port));
  const auto admin = "127.0.0.1:" + std::to_string(free_port(8081, admin_port));
  daemon->admin_url_ = "http://" + admin;
  const Fd log(::open((daemon->folder_.path() / "daemon.log").c_str(),
                      O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return fail_errno("make the daemon's log");
  data_port.reset();
  admin_port.reset();
  auto child =
      Child::start({.argv = {"/proc/self/exe", "serve", "--data", (daemon->folder_.path() / "data").string(),
                             "--listen", data, "--admin", admin},
                    .descriptors = {{log.get(), 1}, {log.get(), 2}}});
  if (!child) return propagate(child);
  daemon->child_ = std::move(*child);
  auto ready = daemon->wait_until_ready();
  if (!ready) return propagate(ready);
  return daemon;
}

PrivateDaemon::~PrivateDaemon() {
  child_.kill(SIGTERM);
  // If it does not end in time, child_ kills it.
  static_cast<void>(child_.wait(std::chrono::steady_clock::now() + 5s));
}

Result<void> PrivateDaemon::wait_until_ready() {
  const HttpRequest ready{.target = "/readyz"};
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < deadline) {
    HttpClient client(*parse_url(admin_url_));
    if (const auto answer = client.send(ready, 5s); answer && answer->status == 200) return {};
    // Ends at once when the daemon does.
    struct pollfd ended{.fd = child_.pidfd(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, 10) > 0) break;
  }
  return fail(CliErrc::failed, "the daemon did not start:\n" + last_words());
}

Connection PrivateDaemon::connection() const {
  return {.admin_url = admin_url_,
          .token = std::nullopt,
          .ca = std::nullopt,
          .data = (folder_.path() / "data").string()};
}

std::string PrivateDaemon::last_words() const {
  auto text = read_file(folder_.path() / "daemon.log").value_or("");
  constexpr std::size_t kEnough = 4000;
  return text.size() <= kEnough ? text : text.substr(text.size() - kEnough);
}

}  // namespace mayfly::cli
