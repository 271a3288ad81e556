// From bytes to a version in service: the deploy pipeline.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "registry/changes.h"
#include "registry/deploy_request.h"
#include "registry/error.h"
#include "registry/platform.h"
#include "registry/registry.h"

namespace mayfly::registry {

struct Deployed {
  VersionPtr version;
  FunctionPtr function;
  /// The same code and configuration as the newest version: no new one was made. It got the traffic
  /// all the same (unless keep_traffic): what was deployed last is what serves.
  bool unchanged = false;
  std::vector<std::string> warnings;
  std::string origin_before{};    ///< of the newest version until now; "": not known
  VersionPtr before{};            ///< what had most of the traffic until now; null: the function is new
  std::vector<Change> changes{};  ///< of the settings, since that one
};

/// Deploys. Lives on the control thread; no deploy() may be resumed once it is destroyed. Its end ends the
/// tools of builds that still run.
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

  /// Runs on the control executor. Not to be cancelled while it waits for the platform. Errors: those
  /// of registry/error.h, the platform's own from prepare(), the store's, or errno.
  [[nodiscard]] boost::asio::awaitable<Result<Deployed>> deploy(DeployRequest request);

 private:
  class Turn;
  struct Queue;

  [[nodiscard]] boost::asio::awaitable<bool> wait_for_turn(std::string name);
  /// The part in its turn; the request is owned by deploy().
  [[nodiscard]] boost::asio::awaitable<Result<Deployed>> deploy_in_turn(
      std::shared_ptr<const DeployRequest> request);
  [[nodiscard]] boost::asio::awaitable<Result<void>> prepare_and_sync(VersionPtr candidate,
                                                                      std::string source);
  [[nodiscard]] Result<Deployed> keep_newest(const VersionPtr& newest, bool keep_traffic);

  boost::asio::any_io_executor control_;
  Registry& registry_;
  Platform& platform_;
  std::stop_source stop_;  ///< of the tools that builds run
  DeployOptions options_;
  /// Of functions that are being deployed. Shared with the deploys: what is left of them may go later than
  /// this.
  std::shared_ptr<std::map<std::string, std::unique_ptr<Queue>>> queues_;
  boost::asio::thread_pool pool_;  ///< last: its threads end before what they use
};

}  // namespace mayfly::registry
