#include "daemon/daemon.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "admin/api.h"
#include "admin/server.h"
#include "admin/token.h"
#include "daemon/addresses.h"
#include "daemon/boxes.h"
#include "daemon/certificates.h"
#include "daemon/door.h"
#include "daemon/events.h"
#include "daemon/host.h"
#include "daemon/metering.h"
#include "daemon/operations.h"
#include "daemon/prepare_sandbox.h"
#include "daemon/runtimes.h"
#include "daemon/stores.h"
#include "daemon/tools.h"
#include "daemon/watch_threads.h"
#include "registry/deploy.h"
#include "registry/registry.h"
#include "sandbox/cgroups.h"
#include "sandbox/layers.h"

namespace mayfly::daemon {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

/// Deliveries under way when the daemon stops; those that take longer are begun again by the next one.
constexpr milliseconds kEventsEnd{2'000};

/// Requests to upstreams at once; one more is answered 503.
constexpr std::size_t kMostUpstreamRequests = 2'000;
constexpr std::size_t kMostOfOneUpstream = 1'000;

/// Instances, idle or not, are bounded by memory: each is taken to need this much.
constexpr std::uint64_t kInstanceBytes = 4U << 20U;

/// Two daemons on one data folder would overwrite each other's work.
Result<Fd> lock_folder(const fs::path& folder) {
  Fd lock(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno("open " + (folder / "lock").string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(std::make_error_code(std::errc::device_or_resource_busy),
                "another daemon uses the data folder " + folder.string());
  return lock;
}

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

/// What has begun ends, then the admin plane does, and the control thread's loop.
asio::awaitable<void> finish(asio::io_context& control, std::vector<std::unique_ptr<Shard>>& shards,
                             Events& events, admin::Server& server, std::chrono::milliseconds patience) {
  events.quiesce();
  co_await drain(control, shards, patience);
  events.stop(kEventsEnd);
  co_await server.stop(milliseconds(1'000));
  control.stop();
}

/// Of one of `count` shards: they share equally.
ShardOptions shard_options(const cli::ServeOptions& options, unsigned index, unsigned count) {
  const auto memory = options.memory_budget > 0 ? options.memory_budget : half_of_memory();
  ShardOptions shard;
  shard.index = index;
  shard.gateway.max_header = options.max_header;
  shard.gateway.header_timeout = options.header_timeout;
  shard.gateway.idle_timeout = options.idle_timeout;
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

/// Node at once, since most functions are for it; the others if there are functions for them.
void start_runtimes(Runtimes& runtimes, const registry::Registry& registry) {
  runtimes.of(registry::Runtime::node, {});
  for (const auto& function : registry.list())
    for (const auto& [number, weight] : function->traffic.weights) {
      const auto& version = function->versions.at(number);
      if (version->runtime == registry::Runtime::upstream) continue;
      runtimes.of(version->runtime, version->config);
    }
}

std::string url_of(const std::string& address, const tls::Certificate* certificate) {
  return (certificate != nullptr ? "https://" : "http://") + address;
}

/// Where the admin plane can be asked from this machine: for the command line, which knows the folder.
Result<void> write_address(const cli::ServeOptions& options, const boost::asio::ip::tcp::endpoint& admin,
                           const tls::Certificate* certificate) {
  auto host = admin.address();
  if (host.is_unspecified())
    host = host.is_v6() ? asio::ip::address(asio::ip::address_v6::loopback())
                        : asio::ip::address(asio::ip::address_v4::loopback());
  auto address = text_of({host, admin.port()});
  // What a certificate is for has a name.
  if (certificate != nullptr && !options.admin_names.empty())
    address = options.admin_names.front().substr(0, options.admin_names.front().find(':')) + ":" +
              std::to_string(admin.port());
  const auto file = options.data / cli::kAddressFile;
  std::ofstream stream(file, std::ios::trunc);
  stream << url_of(address, certificate) << "\n";
  stream.close();
  return stream ? Result<void>() : fail_errno("write " + file.string());
}

void greet(const cli::ServeOptions& options, const std::string& data_plane, const std::string& admin_plane,
           const Runtimes& runtimes) {
  const auto node = runtimes.interpreter(registry::Runtime::node, {});
  std::cout << "mayfly " << MAYFLY_VERSION << " serves functions at " << data_plane << "\n  admin plane  "
            << admin_plane << "  (token in " << (options.data / "admin-token").string()
            << ")\n  node         " << (node ? node->version : node.error().message) << std::endl;
}

std::vector<registry::VersionPtr> all_versions(const registry::Registry& registry) {
  std::vector<registry::VersionPtr> all;
  for (const auto& function : registry.list())
    for (const auto& [number, version] : function->versions) all.push_back(version);
  return all;
}

/// What nobody uses any more goes some seconds after its last instance, a runtime process some minutes after.
asio::awaitable<void> collect_now_and_then(registry::Registry& registry, Runtimes& runtimes,
                                           sandbox::Cgroups& groups, asio::thread_pool& background) {
  constexpr unsigned kTendRounds = 12;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (unsigned round = 1;; ++round) {
    timer.expires_after(std::chrono::seconds(5));
    co_await timer.async_wait(asio::use_awaitable);
    auto trash = registry.collect();
    asio::post(background, [gone = std::move(trash), &groups] { groups.collect(); });
    if (round % kTendRounds == 0) runtimes.tend(all_versions(registry), std::chrono::steady_clock::now());
  }
}

/// Where builds keep what the next ones can use. It can be lost, and lie anywhere.
fs::path build_caches(const fs::path& data) {
  const char* wanted = std::getenv("MAYFLY_BUILD_CACHE");
  return wanted != nullptr && *wanted != '\0' ? fs::absolute(wanted) : data / "cache";
}

/// What functions and their builds have made: no interpreter is taken from there.
std::vector<fs::path> untrusted_folders(const cli::ServeOptions& options) {
  return {options.data, build_caches(fs::absolute(options.data))};
}

/// Removes what is empty when the processes in it have gone: after everything that has some.
struct GroupsEnd {
  explicit GroupsEnd(sandbox::Cgroups& its) : groups(its) {}
  GroupsEnd(const GroupsEnd&) = delete;
  GroupsEnd& operator=(const GroupsEnd&) = delete;
  ~GroupsEnd() { groups.close(std::chrono::seconds(1)); }
  sandbox::Cgroups& groups;
};

/// What shards share. It outlives them.
struct OfAllShards {
  pool::Stores stores;
  Boxes& boxes;
  sandbox::Cgroups& groups;
  WatchThreads& watch;                           ///< where instances are measured
  std::optional<access::KeySource>& key_source;  ///< made after the shards, before they run
  events::Engine& events;
  outbound::Client& upstreams;
  pipelines::Pipelines& pipelines;
  const Metering& metering;
};

void make_shards(std::vector<std::unique_ptr<Shard>>& shards, const cli::ServeOptions& options,
                 const Shard::RuntimeOf& runtime_of, logs::FunctionLogs& logs,
                 const asio::any_io_executor& background, const OfAllShards& shared) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = options.threads > 0 ? options.threads : std::max(1U, cores / 2);
  const auto mover = [&shards](unsigned shard, gateway::MovedConnection connection) {
    shards[shard]->post(
        [s = shards[shard].get(), moved = std::move(connection)]() mutable { s->adopt(std::move(moved)); });
  };
  for (unsigned i = 0; i < count; ++i) {
    auto shard = shard_options(options, i, count);
    shard.stores = shared.stores;
    shard.boxes = options.sandbox ? &shared.boxes : nullptr;
    shard.groups = &shared.groups;
    shard.events = &shared.events;
    shard.upstreams = &shared.upstreams;
    shard.pipelines = &shared.pipelines;
    shard.ledger = shared.metering.ledger.get();
    if (shard.ledger != nullptr) shard.budgets = shared.metering.budgets.get();
    shard.watch_lanes = shared.watch.executors();
    shard.refresh_keys = [&source = shared.key_source](const std::string& location) {
      source->refresh(location);
    };
    shards.push_back(std::make_unique<Shard>(shard, runtime_of, logs, background, mover));
  }
}

void start_shards(const std::vector<std::unique_ptr<Shard>>& shards, const access::KeyTablePtr& keys) {
  std::vector<RemoteCalls*> remote_calls;
  for (const auto& shard : shards) remote_calls.push_back(&shard->remote_calls());
  for (const auto& shard : shards) shard->remote_calls().connect(remote_calls);
  for (const auto& shard : shards) {
    shard->publish_keys(keys);  // before its thread runs
    shard->start();
  }
}

/// However serve() ends, no shard runs any more when what they use goes.
struct StopShards {
  std::vector<std::unique_ptr<Shard>>& shards;
  explicit StopShards(std::vector<std::unique_ptr<Shard>>& all) : shards(all) {}
  StopShards(const StopShards&) = delete;
  StopShards& operator=(const StopShards&) = delete;
  ~StopShards() {
    for (const auto& shard : shards) shard->stop();
  }
};

/// Keys of issuers of tokens go to every shard.
access::KeySource::Publish publisher_of(std::vector<std::unique_ptr<Shard>>& shards) {
  return [&shards](const access::KeySetsPtr& sets) {
    for (const auto& shard : shards) shard->post([its = shard.get(), sets] { its->publish_key_sets(sets); });
  };
}

void say_keys(const std::string& location, access::KeySource::State state, const std::string& why) {
  using State = access::KeySource::State;
  if (state == State::good)
    spdlog::info("the keys of tokens at {} can be read again", location);
  else if (state == State::empty)
    spdlog::warn("no token is good any more that wants a key of {}", why);
  else if (state == State::failing)
    spdlog::error("the keys of tokens cannot be read: {}", why);
  else
    spdlog::error("the keys of tokens that were read long ago do not count any more: {}", why);
}

registry::DeployOptions deploy_options(const cli::ServeOptions& options, const Runtimes& runtimes,
                                       sandbox::Cgroups& groups) {
  registry::DeployOptions deploy;
  deploy.esbuild = find_esbuild(options.esbuild);
  deploy.native_include = executable_folder() / "runtimes/native/include";
  deploy.caches = build_caches(fs::absolute(options.data));
  deploy.build_limit = options.build_limit;
  deploy.build_memory = options.build_memory;
  deploy.groups = &groups;
  deploy.interpreter = [&runtimes](registry::Runtime runtime,
                                   const registry::FunctionConfig& config) -> Result<std::string> {
    auto found = runtimes.interpreter(runtime, config);
    if (!found) return propagate(found);
    if (!found->version.empty() || found->path.empty()) return found->path;
    // The function's own: one that is too old says so here, where its runtime process could only end.
    if (auto asked = ask_interpreter(runtime, found->path); !asked) return propagate(asked);
    return found->path;
  };
  return deploy;
}

admin::ServerOptions server_options(const cli::ServeOptions& options, const std::string& token,
                                    admin::Tokens* tokens, const tls::Certificate* certificate) {
  admin::ServerOptions server;
  server.token = token;
  server.tokens = tokens;
  server.certificate = certificate;
  server.names = options.admin_names;
  server.upload_folder = options.data / "uploads";
  fs::create_directories(server.upload_folder);
  return server;
}

Result<std::unique_ptr<Boxes>> make_boxes(const cli::ServeOptions& options,
                                          std::vector<sandbox::Layer> layers, const Runtimes& runtimes,
                                          network::Networks* networks) {
  Boxes::Options boxes{options.data, std::move(layers), {}, networks};
  boxes.interpreter = [&runtimes](const registry::Version& version) {
    const auto found = runtimes.interpreter(version.runtime, version.config);
    return found ? found->path : std::string();
  };
  return Boxes::make(std::move(boxes));
}

/// Goes before the shards do: they are told when a network is there.
struct NetworksEnd {
  network::Networks* networks;
  explicit NetworksEnd(network::Networks* which) : networks(which) {}
  NetworksEnd(const NetworksEnd&) = delete;
  NetworksEnd& operator=(const NetworksEnd&) = delete;
  ~NetworksEnd() {
    if (networks != nullptr) networks->stop();
  }
};

/// The first signal begins the end; a second one is not waited for.
void on_signals(asio::signal_set& signals, std::function<void()> first, std::function<void()> second) {
  signals.async_wait([&signals, first = std::move(first), second = std::move(second)](
                         const boost::system::error_code& error, int) {
    if (error) return;
    first();
    signals.async_wait([second](const boost::system::error_code& again, int) {
      if (!again) second();
    });
  });
}

void set_up_process(const cli::ServeOptions& options) {
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  std::signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
}

std::unique_ptr<network::Networks> make_networks(const std::vector<sandbox::Layer>& layers) {
  return sandbox::has_layer(layers, "namespaces") ? std::make_unique<network::Networks>() : nullptr;
}

/// What is checked, and taken, before anything else begins.
struct Beginning {
  std::vector<sandbox::Layer> layers;
  Addresses addresses;
  meter::PriceSheet sheet;
  Fd lock;  ///< of the data folder
  std::string token;
};

Result<Beginning> begin(const cli::ServeOptions& options) {
  set_up_process(options);
  auto layers = prepare_sandbox(options);
  if (!layers) return propagate(layers);
  auto addresses = parse_addresses(options);
  if (!addresses) return propagate(addresses);
  auto sheet = read_price_sheet(options);
  if (!sheet) return propagate(sheet);
  auto lock = take_folder(options.data);
  if (!lock) return propagate(lock);
  auto token = admin::load_or_create_token(options.data);
  if (!token) return propagate(token);
  return Beginning{std::move(*layers), std::move(*addresses), std::move(*sheet), std::move(*lock),
                   std::move(*token)};
}

}  // namespace

int serve(const cli::ServeOptions& options) {
  const auto begun = begin(options);
  if (!begun) return complain(begun.error());
  const auto& [layers, addresses, sheet, lock, token] = *begun;
  const SystemClock clock;
  const auto stores = open_stores(options, clock);
  if (!stores) return complain(stores.error());
  auto& [registry, tokens, keys, secrets, datasets] = *stores;
  const auto opened_groups = open_groups(options);
  if (!opened_groups) return complain(opened_groups.error());
  const auto& groups = *opened_groups;
  const GroupsEnd groups_end{*groups};
  asio::io_context control(1);
  Certificates certificates(control);
  if (const auto loaded = certificates.load(options); !loaded) return complain(loaded.error());
  logs::FunctionLogs logs(options.data / "logs");
  Runtimes runtimes(control, {options.node, options.python, untrusted_folders(options)});
  start_runtimes(runtimes, *registry);
  const auto runtime_of = [&runtimes](const registry::Version& version) -> tmpl::Forker& {
    return runtimes.of(version.runtime, version.config);
  };
  const auto networks = make_networks(layers);
  const auto boxes = make_boxes(options, layers, runtimes, networks.get());
  if (!boxes) return complain(boxes.error());

  std::vector<std::unique_ptr<Shard>> shards;
  // Ends before the shards go, to which it answers.
  outbound::Client upstreams(
      {.rules = &addresses.asked, .most = kMostUpstreamRequests, .most_of_host = kMostOfOneUpstream});
  asio::thread_pool background(1);  // ends before what its work answers to
  // Limits must not wait for what the other has to do.
  WatchThreads watch(groups->has(sandbox::CgroupPart::cpu));
  // Its thread ends before the shards do, to which it publishes.
  std::optional<access::KeySource> key_source;
  const auto events = Events::open(options.data, shards, addresses.asked);
  if (!events) return complain(events.error());
  const auto metering =
      open_metering(options, sheet, (*events)->engine(), *registry);  // outlives shards' threads
  if (!metering) return complain(metering.error());
  const OfAllShards shared{
      {secrets.get(), datasets.get()}, **boxes,  *groups, watch, key_source, (*events)->engine(), upstreams,
      (*events)->pipelines(),          *metering};
  make_shards(shards, options, runtime_of, logs, background.get_executor(), shared);

  const StopShards stop{shards};
  const NetworksEnd networks_end{networks.get()};
  key_source.emplace(access::KeySourceOptions{.rules = &addresses.asked}, publisher_of(shards), say_keys);
  PlatformOperations operations({control, shards, logs, runtimes, *secrets, *datasets, **boxes, *key_source,
                                 *groups, **events, addresses.asked});
  registry::Deployer deployer(control.get_executor(), *registry, operations,
                              deploy_options(options, runtimes, *groups));
  start_shards(shards, keys->table());
  registry->attach(operations);
  (*events)->engine().adopt_rest();

  Door door(control, shards, certificates.data());
  const auto data_address = door.open(addresses.listen.data);
  if (!data_address) return complain(data_address.error());
  operations.data_address = text_of(*data_address);
  operations.data_url = url_of(operations.data_address, certificates.data());

  const admin::Services services{*registry,
                                 deployer,
                                 operations,
                                 *secrets,
                                 *datasets,
                                 control.get_executor(),
                                 *tokens,
                                 *keys,
                                 (*events)->engine(),
                                 (*events)->pipelines(),
                                 (*events)->callback_secret().text(),
                                 metering->ledger.get(),
                                 metering->budgets.get(),
                                 metering->prices};
  admin::Server server(control, server_options(options, token, tokens.get(), certificates.admin()),
                       admin::api_routes(services));
  const auto admin_address = server.listen(addresses.listen.admin);
  if (!admin_address) return complain(admin_address.error());
  if (const auto written = write_address(options, *admin_address, certificates.admin()); !written)
    return complain(written.error());
  operations.serving = true;
  certificates.watch();
  greet(options, operations.data_url, url_of(text_of(*admin_address), certificates.admin()), runtimes);

  operations.look_at_datasets();
  asio::co_spawn(control, collect_now_and_then(*registry, runtimes, *groups, background), asio::detached);

  asio::signal_set signals(control, SIGTERM, SIGINT);
  const auto leave = [&] {
    operations.serving = false;
    door.close();
    asio::co_spawn(control, finish(control, shards, **events, server, options.drain), asio::detached);
  };
  on_signals(signals, leave, [&control] { control.stop(); });
  control.run();
  for (const auto& shard : shards) shard->stop();
  runtimes.stop();
  return 0;
}

}  // namespace mayfly::daemon
