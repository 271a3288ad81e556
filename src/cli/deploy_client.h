// Deploying a project through the admin API: used by `deploy` and `dev`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/daemon_client.h"
#include "cli/project.h"

namespace mayfly::cli {

/// The body of a deployment and the name of what it is.
struct Upload {
  std::string file;
  std::string body;
};

/// The file as it is, or the folder packed.
[[nodiscard]] Result<Upload> make_upload(const Project& project);

struct DeploySettings {
  std::vector<std::string> set;  ///< "key=value"
  bool keep_traffic = false;
};

/// One function. The answer is what the API gives.
[[nodiscard]] Result<nlohmann::json> deploy_function(const DaemonClient& client, const std::string& name,
                                                     const Upload& upload, const DeploySettings& settings);

}  // namespace mayfly::cli
