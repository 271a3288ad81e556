// What the registry and a deploy need from the running platform.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::registry {

/// Called on the control thread. Wired in daemon/.
struct Platform {
  virtual ~Platform() = default;
  /// Build the template of a version that is not in service yet; error = why it cannot be (message,
  /// details file, line, stack). The version's number may be given again to another candidate if this
  /// one comes to nothing. Its folder is complete, but perhaps not synced to disk yet.
  virtual boost::asio::awaitable<Result<void>> prepare(VersionPtr version) = 0;
  /// What the deployer should know of a version that is about to be taken into service; sentences.
  virtual std::vector<std::string> warnings_of(const Version&) { return {}; }
  /// The set of functions changed: route by this from now on (atomic switch); null function = deleted.
  virtual void publish(const std::string& name, FunctionPtr function) = 0;
};

}  // namespace mayfly::registry
