// From bytes to a version in service: the deploy pipeline.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "registry/archive.h"
#include "registry/bundle.h"
#include "registry/error.h"
#include "registry/platform.h"
#include "registry/registry.h"

namespace mayfly::registry {

struct DeployRequest {
  std::string name;                     ///< of the function
  std::string file_name;                ///< "hello.js", "site.tar.gz"; may be empty for an archive
  std::string body;                     ///< the raw source or the archive …
  std::filesystem::path body_file{};    ///< … or, if this is set, the file that holds it; stays the caller's
  std::vector<std::string> settings{};  ///< "key=value", as of [functions.NAME]; they win over mayfly.toml
  /// Leave the traffic as it is: the new version gets none until someone gives it some. Without it a
  /// deploy gives the new version all traffic, also when it had been split or rolled back by hand. A
  /// first deploy always serves.
  bool keep_traffic = false;
};

struct Deployed {
  VersionPtr version;
  FunctionPtr function;
  /// The same code and configuration as the newest version: no new one was made. It got the traffic
  /// all the same (unless keep_traffic): what was deployed last is what serves.
  bool unchanged = false;
  std::vector<std::string> warnings;
};

struct DeployOptions {
  ArchiveLimits limits{};
  std::filesystem::path esbuild{};  ///< its executable; empty: TypeScript is refused with build_failed
  std::size_t threads = 2;          ///< for the steps that block
};

/// Deploys. Lives on the control thread; every deploy() must have ended before it is destroyed.
///
/// Steps: on a thread of its own the source is staged, unpacked, its entry found, built if it must be, and
/// moved to its address. Then the platform builds the template while the disk syncs, the row is committed and
/// the function published. Until the commit nothing in service changes, and a failure leaves nothing on disk.
/// Deploys of one function wait for each other, in order of arrival.
class Deployer {
 public:
  Deployer(boost::asio::any_io_executor control, Registry& registry, Platform& platform,
           DeployOptions options = {});
  ~Deployer();
  Deployer(const Deployer&) = delete;
  Deployer& operator=(const Deployer&) = delete;

  /// Runs on the control executor.
  [[nodiscard]] boost::asio::awaitable<Result<Deployed>> deploy(DeployRequest request);

 private:
  class Turn;
  struct Built;
  struct Queue;

  [[nodiscard]] static Result<Built> build(const DeployRequest& request, const SourceStore& sources,
                                           const DeployOptions& options);
  [[nodiscard]] boost::asio::awaitable<Result<Deployed>> deploy_in_turn(const DeployRequest& request);
  [[nodiscard]] boost::asio::awaitable<Result<Deployed>> bring_into_service(const DeployRequest& request,
                                                                            Built built);
  [[nodiscard]] Result<Deployed> keep_newest(const DeployRequest& request, const VersionPtr& newest,
                                             std::vector<std::string> warnings);

  boost::asio::any_io_executor control_;
  Registry& registry_;
  Platform& platform_;
  DeployOptions options_;
  std::map<std::string, std::shared_ptr<Queue>> queues_;
  std::map<std::string, int> in_use_;  ///< digests of sources that running deploys refer to
  boost::asio::thread_pool pool_;      ///< last: its threads end before what they use
};

}  // namespace mayfly::registry
