// A small internet for tests, in namespaces that the test process makes: it enters a user namespace, a mount
// namespace with a resolv.conf of its own, and a network namespace, which is "the host". A second one, "the
// world", is linked to that. Header only, used by tests alone.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/temp_folder.h"
#include "network/namespace.h"
#include "network/tool.h"
#include "network/uplink.h"

namespace mayfly::network {

class World {
 public:
  /// What is in the world, and can be reached from the host.
  static constexpr const char* kInternet = "203.0.113.10";
  static constexpr std::array kPrivate{"10.1.2.3",    "10.1.2.4",        "172.16.5.5", "192.168.0.5",
                                       "192.168.0.6", "169.254.169.254", "100.64.1.1", "192.0.0.8"};
  /// The host's own, besides loopback.
  static constexpr std::array kHost{"203.0.113.1", "192.168.77.1"};

  static constexpr int kPatience = 3000;  ///< ms

  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    stop_ = true;
    for (auto& server : servers_) server.join();
  }

  /// Once in a process, while it has one thread. Null: that is not possible here, and `why` says what failed.
  static std::unique_ptr<World> enter(std::string& why) {
    std::unique_ptr<World> world(new World);
    why = world->set_up();
    return why.empty() ? std::move(world) : nullptr;
  }

  /// Runs commands of ip(8) in the network namespace of this thread.
  static bool ip(const std::string& commands) {
    const auto tool = find_tool("ip");
    return tool && run_tool("ip", {*tool, "-batch", "-"}, commands);
  }

  [[nodiscard]] int host() const { return host_.get(); }

  /// In a thread that is in `ns`.
  static void inside(int ns, const std::function<void()>& what) {
    const auto done = network::inside(ns, [&]() -> Result<void> {
      what();
      return {};
    });
    if (!done) std::abort();
  }

  /// A connection on which a server of listen() answered, or errno; ETIMEDOUT after `patience` (ms). From the
  /// namespace of this thread; bound to `source` unless that is empty.
  static int connect_to(Fd& connection, const std::string& address, int port, const std::string& source = {},
                        int patience = kPatience) {
    connection = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!source.empty()) {
      const auto from = name_of(source, 0);
      if (::bind(connection.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return errno;
    }
    const auto to = name_of(address, port);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
        errno != EINPROGRESS)
      return errno;
    // The uplink takes a connection before its other end has: only an answer shows that there is one.
    if (!ready(connection.get(), POLLIN, patience)) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return error;
    char byte = 0;
    const auto got = ::recv(connection.get(), &byte, 1, 0);
    if (got < 0) return errno;
    return got == 1 ? 0 : ECONNRESET;
  }
  static int connect(int ns, const std::string& address, int port, const std::string& source = {},
                     int patience = kPatience) {
    int error = 0;
    inside(ns, [&] {
      Fd connection;
      error = connect_to(connection, address, port, source, patience);
    });
    return error;
  }

  /// Whether the name server of a resolv.conf answers a query by UDP.
  static bool resolves(int ns, const std::string& resolv_conf) {
    const auto begin = resolv_conf.find(' ') + 1;
    return query(ns, resolv_conf.substr(begin, resolv_conf.find('\n') - begin), {}, kPatience);
  }
  /// Sends one to `server`, from `source` unless that is empty. Whether the answer came before `patience`
  /// (ms).
  static bool query(int ns, const std::string& server, const std::string& source, int patience) {
    bool answered = false;
    inside(ns, [&] {
      const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const auto from = name_of(source.empty() ? "0.0.0.0" : source, 0);
      if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return;
      const auto to = name_of(server, 53);
      (void)!::sendto(socket.get(), "?", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
      char byte = 0;
      answered = patience > 0 && ready(socket.get(), POLLIN, patience) &&
                 ::recv(socket.get(), &byte, 1, MSG_DONTWAIT) == 1 && byte == '!';
    });
    return answered;
  }
  /// Queries that the world's name server was asked.
  [[nodiscard]] int queries() const { return queries_; }

  /// Answers one byte to everyone at this port of every address, in `ns`, as long as this lives.
  void listen(int ns, int port) {
    Fd listener;
    inside(ns, [&] { listener = bound(SOCK_STREAM, port); });
    ::listen(listener.get(), 4096);
    servers_.emplace_back([this, listener = std::move(listener)] {
      std::vector<Fd> connections;
      while (!stop_) {
        if (!ready(listener.get(), POLLIN, 20)) {
          std::erase_if(connections, has_left);
          continue;
        }
        connections.emplace_back(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        (void)!::send(connections.back().get(), "!", 1, MSG_NOSIGNAL);
      }
    });
  }

 private:
  World() = default;

  static sockaddr_in name_of(const std::string& address, int port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, address.c_str(), &name.sin_addr);
    return name;
  }

  static bool ready(int fd, short events, int patience = kPatience) {
    pollfd item{fd, events, 0};
    return ::poll(&item, 1, patience) == 1;
  }

  static bool has_left(const Fd& connection) {
    char byte = 0;
    return ::recv(connection.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  static Fd bound(int type, int port) {
    Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto name = name_of("0.0.0.0", port);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) std::abort();
    return socket;
  }

  std::string set_up() {
    const auto user = std::to_string(::geteuid());
    const auto group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0)
      return fail_errno("unshare").error().message;
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " + user + " 1";
    std::ofstream("/proc/self/gid_map") << "0 " + group + " 1";
    const auto resolv_conf = folder_.path() / "resolv.conf";
    std::ofstream(resolv_conf) << "nameserver " << kInternet << "\n";
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0)
      return fail_errno("mount").error().message;
    if (auto lacking = lacking_for_outbound(); !lacking.empty()) return lacking;
    return connect_namespaces();
  }

  std::string connect_namespaces() {
    host_ = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    auto made = new_namespace();
    if (!made) return made.error().message;
    world_ = std::move(*made);
    const auto path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(world_.get());
    std::string here =
        "link set lo up\nlink add h0 type veth peer name w0 netns " + path + "\nlink set h0 up\n";
    std::string there =
        "link set lo up\nlink set w0 up\n" + std::string("addr add ") + kInternet + "/24 dev w0\n";
    for (const char* address : kHost) here += std::string("addr add ") + address + "/24 dev h0\n";
    for (const char* address : kPrivate) {
      there += std::string("addr add ") + address + "/32 dev lo\n";
      here += std::string("route add ") + address + " via " + kInternet + "\n";
    }
    bool done = ip(here);
    inside(world_.get(), [&] { done = done && ip(there + "route add 192.168.77.0/24 dev w0\n"); });
    if (!done) return "ip failed";
    listen(world_.get(), 80);
    listen(world_.get(), 5432);
    listen(host_.get(), 8081);
    answer_queries();
    return {};
  }

  void answer_queries() {
    Fd socket;
    inside(world_.get(), [&] { socket = bound(SOCK_DGRAM, 53); });
    servers_.emplace_back([this, socket = std::move(socket)] {
      while (!stop_) {
        if (!ready(socket.get(), POLLIN, 20)) continue;
        ++queries_;
        std::array<char, 512> text;
        sockaddr_in from{};
        socklen_t size = sizeof from;
        (void)!::recvfrom(socket.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from),
                          &size);
        (void)!::sendto(socket.get(), "!", 1, 0, reinterpret_cast<const sockaddr*>(&from), size);
      }
    });
  }

  TempFolder folder_;
  Fd host_;
  Fd world_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> queries_ = 0;
  std::vector<std::thread> servers_;
};

}  // namespace mayfly::network
