// Deploying a project through the admin API: used by `deploy` and `dev`.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/daemon_client.h"
#include "cli/project.h"

namespace mayfly::cli {

/// The body of a deployment and the name of what it is.
struct Upload {
  std::string file;
  std::string body;
  std::string origin;  ///< see origin_of()
};

/// The file as it is, or the folder packed; see pack() for `vendored`.
[[nodiscard]] Result<Upload> make_upload(const Project& project, bool vendored = false);

struct DeploySettings {
  std::vector<std::string> set;  ///< "key=value"
  bool keep_traffic = false;
};

/// The whole path of what is deployed, by which the next deployment can be told from where the last one came.
[[nodiscard]] std::string origin_of(const Project& project);

/// One function. The answer is what the API gives. `on_output` takes what the daemon's tools print (npm, pip,
/// compilers), as it comes.
[[nodiscard]] Result<nlohmann::json> deploy_function(
    const DaemonClient& client, const std::string& name, const Upload& upload, const DeploySettings& settings,
    const std::function<void(std::string_view)>& on_output = {});

/// The last whole line of a text that comes in pieces.
class LastLine {
 public:
  /// The newest line that is complete and not blank; empty if there is none yet.
  std::string_view add(std::string_view piece);

 private:
  std::string begun_;
  std::string line_;
};

}  // namespace mayfly::cli
