// What the admin plane and a deploy ask of the running platform, carried to the shards and back.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "access/key_source.h"
#include "admin/platform.h"
#include "daemon/boxes.h"
#include "daemon/events.h"
#include "daemon/runtimes.h"
#include "daemon/shard.h"
#include "logs/function_logs.h"
#include "registry/platform.h"
#include "sandbox/cgroups.h"
#include "secrets/secrets.h"

namespace mayfly::daemon {

/// Lives on the control thread. All that it refers to outlives it.
class PlatformOperations final : public registry::Platform, public admin::Operations {
 public:
  struct Parts {
    boost::asio::io_context& control;
    std::vector<std::unique_ptr<Shard>>& shards;
    logs::FunctionLogs& logs;
    Runtimes& runtimes;
    secrets::Secrets& secrets;
    datasets::Datasets& datasets;
    const Boxes& boxes;
    access::KeySource& key_source;
    const sandbox::Cgroups& groups;
    Events& events;
    const outbound::AddressRules& addresses;  ///< that the daemon asks
  };
  explicit PlatformOperations(const Parts& parts) : parts_(parts) {}
  PlatformOperations(const PlatformOperations&) = delete;
  PlatformOperations& operator=(const PlatformOperations&) = delete;
  ~PlatformOperations() override {
    parts_.datasets.stop();
  }  // before the thread that loads them is waited for

  /// Where the data plane listens, once it does.
  std::string data_address;
  std::string data_url;  ///< without a slash at its end
  bool serving = false;

  boost::asio::awaitable<Result<void>> prepare(registry::VersionPtr version) override;
  std::vector<std::string> warnings_of(const registry::Version& version) override;
  void publish(const std::string& name, registry::FunctionPtr function) override;

  boost::asio::awaitable<nlohmann::json> live(std::string function) override;
  boost::asio::awaitable<nlohmann::json> status() override;
  boost::asio::awaitable<std::string> metrics() override;
  bool ready() override { return serving && parts_.runtimes.up(); }
  std::string url(const std::string& function) override { return data_url + "/" + function; }
  boost::asio::awaitable<void> evict(std::string function, bool templates) override;
  boost::asio::awaitable<std::vector<admin::Renewed>> renew(registry::Listed changed) override;
  boost::asio::awaitable<Result<admin::LoadedDataset>> load(datasets::Order order) override;
  /// Loads datasets again when it is time. To be called once the daemon serves; wakes nobody where none is
  /// loaded again by itself. In operations_datasets.cpp.
  void look_at_datasets();
  boost::asio::awaitable<void> publish_keys(access::KeyTablePtr keys) override;
  boost::asio::awaitable<void> flush_usage() override;
  boost::asio::awaitable<Result<admin::InvokeAnswer>> invoke(admin::InvokeRequest request) override;
  boost::asio::awaitable<std::vector<std::string>> logs(admin::LogQuery query,
                                                        std::shared_ptr<admin::LogQueue> follow) override;

 private:
  Shard& home(std::string_view function);
  boost::asio::awaitable<Upstreams::Outcomes> upstream_outcomes(std::string name);
  boost::asio::awaitable<Shard::RefusalFigures> refusals();

  boost::asio::awaitable<void> load_again(datasets::Order order);
  boost::asio::awaitable<void> on_every_shard(std::function<void(Shard&)> work);

  Parts parts_;
  boost::asio::steady_timer look_{parts_.control};
  boost::asio::thread_pool loader_{1};  ///< reads the sources of datasets, one after the other
  [[nodiscard]] std::vector<registry::FunctionPtr> all_functions() const;

  std::map<std::string, registry::FunctionPtr> functions_;
  MonotonicTime started_ = std::chrono::steady_clock::now();
};

}  // namespace mayfly::daemon
