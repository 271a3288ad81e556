#include "daemon/daemon.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <fstream>
#include <iostream>

#include "admin/api.h"
#include "admin/server.h"
#include "admin/token.h"
#include "base/child.h"
#include "daemon/operations.h"
#include "registry/deploy.h"
#include "registry/registry.h"

namespace mayfly::daemon {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace fs = std::filesystem;
namespace {

/// Instances, idle or not, are bounded by memory: each is taken to need this much.
constexpr std::uint64_t kInstanceBytes = 4U << 20U;

fs::path executable_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

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

std::string text_of(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

std::string find_in_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return fs::absolute(name);
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const auto folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    const auto candidate = fs::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

fs::path find_esbuild(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (const char* set = std::getenv("MAYFLY_ESBUILD")) return set;
  const auto here = executable_folder();
  for (const auto& folder : {here, here.parent_path()})
    for (const char* path : {"node_modules/@esbuild/linux-x64/bin/esbuild",
                             "node_modules/@esbuild/linux-arm64/bin/esbuild", "node_modules/.bin/esbuild"})
      if (fs::exists(folder / path)) return folder / path;
  return find_in_path("esbuild");
}

tmpl::RuntimeSpec node_spec(const std::string& node) {
  const auto folder = executable_folder() / "runtimes/node";
  tmpl::RuntimeSpec spec;
  spec.name = "node";
  // Forking needs the first two, small instances the third (docs/adr). Children run what the template has
  // compiled: it must not be thrown away, and program text in large pages needs no page faults in each.
  spec.argv = {node,
               "--single-threaded",
               "--v8-pool-size=0",
               "--no-memory-reducer",
               "--expose-gc",
               "--no-flush-bytecode",
               "--use-largepages=silent",
               "--enable-source-maps",
               (folder / "js/boot.js").string()};
  spec.environment = {"LD_PRELOAD=" + (folder / "mayfly-preload.so").string(),
                      "MAYFLY_NODE_ADDON=" + (folder / "mayfly.node").string(),
                      "UV_USE_IO_URING=0",
                      "LD_BIND_NOW=1",
                      "MALLOC_ARENA_MAX=1",
                      "PATH=/usr/local/bin:/usr/bin:/bin"};
  for (const char* name : {"TZ", "LANG", "LC_ALL"})
    if (const char* value = std::getenv(name)) spec.environment.push_back(std::string(name) + "=" + value);
  return spec;
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::uint64_t half_of_memory() {
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto size = ::sysconf(_SC_PAGESIZE);
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size) / 2;
}

/// Two daemons on one data folder would overwrite each other's work.
Result<Fd> lock_folder(const fs::path& folder) {
  Fd lock(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno("open " + (folder / "lock").string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(std::make_error_code(std::errc::device_or_resource_busy),
                "another daemon uses the data folder " + folder.string());
  return lock;
}

/// The data plane's door: accepts on the control thread and hands connections to the shards in turn.
class Door {
 public:
  Door(asio::io_context& control, std::vector<std::unique_ptr<Shard>>& shards)
      : acceptor_(control), pause_(control), shards_(shards) {}
  Result<tcp::endpoint> open(const tcp::endpoint& where) {
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
  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

 private:
  void accept() {
    acceptor_.async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
      if (error) return;
      for (int i = 0; i < 256; ++i) {
        Fd socket(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) return accept_later();
        if (!socket) break;
        auto* shard = shards_[next_++ % shards_.size()].get();
        shard->post([shard, moved = gateway::MovedConnection{std::move(socket)}]() mutable {
          shard->adopt(std::move(moved));
        });
      }
      accept();
    });
  }
  /// No descriptor is left for who knocks: asking again at once would only burn this thread's time.
  void accept_later() {
    pause_.expires_after(milliseconds(50));
    pause_.async_wait([this](const boost::system::error_code& error) {
      if (!error) accept();
    });
  }
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::vector<std::unique_ptr<Shard>>& shards_;
  std::size_t next_ = 0;
};

int complain(const Error& error) {
  std::cerr << "mayfly: " << error.message << "\n";
  return 1;
}

/// Waits until the shards have no connections left, or the time is over.
asio::awaitable<void> drain(asio::io_context& control, std::vector<std::unique_ptr<Shard>>& shards,
                            std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const auto& shard : shards) shard->post([s = shard.get()] { s->drain(); });
  asio::steady_timer pause(control);
  for (;;) {
    auto left = std::make_shared<std::atomic<std::size_t>>(0);
    auto answers = std::make_shared<std::atomic<std::size_t>>(0);
    for (const auto& shard : shards)
      shard->post([s = shard.get(), left, answers] {
        *left += s->connections();
        ++*answers;
      });
    do {
      pause.expires_after(milliseconds(5));
      co_await pause.async_wait(asio::use_awaitable);
    } while (*answers < shards.size());
    if (*left == 0 || std::chrono::steady_clock::now() > until) co_return;
  }
}

/// Of the Node at this path, without its "v"; empty if it does not say.
std::string version_of(const std::string& node) {
  const auto result = run({node, "--version"});
  std::string version = result ? result->output : "";
  std::erase_if(version, [](char c) { return c == 'v' || c == '\n'; });
  return version;
}

/// Of one of `count` shards: they share equally.
ShardOptions shard_options(const cli::ServeOptions& options, unsigned index, unsigned count) {
  const auto memory = options.memory_budget > 0 ? options.memory_budget : half_of_memory();
  ShardOptions shard;
  shard.index = index;
  shard.gateway.max_header = options.max_header;
  shard.gateway.header_timeout = options.header_timeout;
  shard.gateway.max_connections = std::max<std::size_t>(1, options.max_connections / count);
  shard.count = count;
  shard.max_instances = std::max<std::size_t>(1, memory / kInstanceBytes / count);
  shard.memory = memory / count;
  return shard;
}

/// Makes the data folder, for its owner alone, and keeps other daemons out of it.
Result<Fd> take_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(error, "make the data folder " + folder.string() + ": " + error.message());
  fs::permissions(folder, fs::perms::owner_all, error);
  return lock_folder(folder);
}

void greet(const cli::ServeOptions& options, const std::string& data_plane, const std::string& admin_plane,
           const std::string& node_version) {
  std::cout << "mayfly " << MAYFLY_VERSION << " serves functions at http://" << data_plane
            << "\n  admin plane  http://" << admin_plane << "  (token in "
            << (options.data / "admin-token").string() << ")\n  runtime      node " << node_version
            << std::endl;
}

}  // namespace

int serve(const cli::ServeOptions& options) {
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  const auto listen = parse_endpoint(options.listen);
  if (!listen) return complain(listen.error());
  const auto admin_listen = parse_endpoint(options.admin);
  if (!admin_listen) return complain(admin_listen.error());
  const auto node = find_in_path(options.node.empty() ? "node" : options.node);
  if (node.empty())
    return complain(Error{std::make_error_code(std::errc::no_such_file_or_directory),
                          "node was not found in PATH; install Node 18 or newer, or name it with --node",
                          {}});
  const auto lock = take_folder(options.data);
  if (!lock) return complain(lock.error());
  const auto token = admin::load_or_create_token(options.data);
  if (!token) return complain(token.error());
  auto registry = registry::Registry::open({options.data, nullptr, {}});
  if (!registry) return complain(registry.error());

  const auto node_version = version_of(node);
  asio::io_context control(1);
  logs::FunctionLogs logs(options.data / "logs");
  auto runtime = std::make_shared<tmpl::RuntimeProcess>(
      control, node_spec(node),
      tmpl::RuntimeEvents{[](const std::string& what) { spdlog::warn("{}", what); }});
  runtime->start();

  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = options.threads > 0 ? options.threads : std::max(1U, cores / 2);
  std::vector<std::unique_ptr<Shard>> shards;
  asio::thread_pool background(1);  // ends before what its work answers to
  const auto mover = [&shards](unsigned shard, gateway::MovedConnection connection) {
    shards[shard]->post(
        [s = shards[shard].get(), moved = std::move(connection)]() mutable { s->adopt(std::move(moved)); });
  };
  for (unsigned i = 0; i < count; ++i)
    shards.push_back(std::make_unique<Shard>(shard_options(options, i, count), *runtime, logs,
                                             background.get_executor(), mover));

  PlatformOperations operations({control, shards, logs, *runtime, node_version});
  registry::DeployOptions deploy_options;
  deploy_options.esbuild = find_esbuild(options.esbuild);
  registry::Deployer deployer(control.get_executor(), **registry, operations, deploy_options);
  for (const auto& shard : shards) shard->start();
  (*registry)->attach(operations);

  Door door(control, shards);
  const auto data_address = door.open(*listen);
  if (!data_address) return complain(data_address.error());
  operations.data_address = text_of(*data_address);

  fs::create_directories(options.data / "uploads");
  const admin::Services services{**registry, deployer, operations, control.get_executor()};
  admin::ServerOptions server_options;
  server_options.token = *token;
  server_options.upload_folder = options.data / "uploads";
  admin::Server server(control, server_options, admin::api_routes(services));
  const auto admin_address = server.listen(*admin_listen);
  if (!admin_address) return complain(admin_address.error());
  operations.serving = true;

  greet(options, operations.data_address, text_of(*admin_address), node_version);

  asio::signal_set signals(control, SIGTERM, SIGINT);
  bool leaving = false;
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error || leaving) return;
    leaving = true;
    operations.serving = false;
    door.close();
    asio::co_spawn(
        control,
        [&]() -> asio::awaitable<void> {
          const auto patience = options.drain;
          co_await drain(control, shards, patience);
          co_await server.stop(milliseconds(1'000));
          control.stop();
        },
        asio::detached);
    // A second signal ends it at once.
    signals.async_wait([&](const boost::system::error_code& again, int) {
      if (!again) control.stop();
    });
  });
  control.run();
  for (const auto& shard : shards) shard->stop();
  runtime->stop();
  return 0;
}

}  // namespace mayfly::daemon
