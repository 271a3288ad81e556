#include "cli/deploy_client.h"

#include "cli/error.h"
#include "cli/input.h"
#include "cli/package.h"

namespace mayfly::cli {

Result<Upload> make_upload(const Project& project) {
  if (project.folder) {
    auto package = pack(project.path, project.sources);
    if (!package) return propagate(package);
    return Upload{.file = "source.tar.gz", .body = std::move(package->bytes)};
  }
  auto text = read_file(project.path);
  if (!text) return propagate(text);
  return Upload{.file = project.path.filename().string(), .body = std::move(*text)};
}

Result<nlohmann::json> deploy_function(const DaemonClient& client, const std::string& name,
                                       const Upload& upload, const DeploySettings& settings) {
  std::string target = function_target(name, "?file=" + percent_encode(upload.file));
  for (const auto& each : settings.set) target += "&set=" + percent_encode(each);
  if (settings.keep_traffic) target += "&keep_traffic=1";
  HttpRequest request{.method = "PUT", .target = std::move(target)};
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.body = upload.body;
  auto answer = client.send(std::move(request));
  if (!answer) return propagate(answer);
  return parse_answer(*answer);
}

}  // namespace mayfly::cli
