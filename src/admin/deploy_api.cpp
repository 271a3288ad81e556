// A deploy, answered at its end or line by line.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <nlohmann/json.hpp>

#include "admin/api.h"
#include "admin/errors.h"
#include "admin/log_queue.h"
#include "admin/view.h"

namespace mayfly::admin {

namespace asio = boost::asio;
using asio::awaitable;
using nlohmann::json;

namespace {

constexpr std::size_t kLongestOrigin = 4096;
constexpr std::string_view kLines = "application/x-ndjson";

registry::DeployRequest deploy_request(const Request& request) {
  registry::DeployRequest wanted{
      .name = request.param("name"),
      .file_name = request.query_value("file").value_or(""),
      .body = {},
      .body_file = request.upload,
      .keep_traffic = request.query_flag("keep_traffic"),
  };
  wanted.origin = request.query_value("origin").value_or("").substr(0, kLongestOrigin);
  for (const auto& [key, value] : request.query)
    if (key == "set") wanted.settings.push_back(value);
  return wanted;
}

json changes_json(const std::vector<registry::Change>& changes) {
  json list = json::array();
  for (const auto& change : changes) {
    json one{{"key", change.key}, {"kind", registry::name_of(change.kind)}, {"keep", change.keep}};
    if (!change.before.empty()) one["before"] = change.before;
    if (!change.after.empty()) one["after"] = change.after;
    list.push_back(std::move(one));
  }
  return list;
}

json deployed_json(const Services& services, const registry::Deployed& deployed) {
  json body = version_json(*deployed.version, *deployed.function);
  body["name"] = deployed.version->function;
  body["url"] = services.operations.url(deployed.version->function);
  if (!deployed.warnings.empty()) body["warnings"] = deployed.warnings;
  if (deployed.unchanged) body["unchanged"] = true;
  if (deployed.before) body["before"] = {{"address", deployed.before->address()}};
  if (deployed.before && !deployed.origin_before.empty()) body["before"]["origin"] = deployed.origin_before;
  if (!deployed.changes.empty()) body["changes"] = changes_json(deployed.changes);
  return body;
}

std::string line_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

bool wants_lines(const Request& request) {
  for (const auto& [name, value] : request.headers) {
    const bool accept = name.size() == 6 && (name == "Accept" || name == "accept" || name == "ACCEPT");
    if (accept && value.contains(kLines)) return true;
  }
  return false;
}

/// The upload of a deploy that outlives its request.
class KeptUpload {
 public:
  explicit KeptUpload(const std::filesystem::path& upload) : path_(upload) {
    std::error_code error;
    path_ += ".deploying";
    std::filesystem::rename(upload, path_, error);
  }
  KeptUpload(KeptUpload&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  KeptUpload& operator=(KeptUpload&&) = delete;
  KeptUpload(const KeptUpload&) = delete;
  KeptUpload& operator=(const KeptUpload&) = delete;
  ~KeptUpload() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Goes on to its end also when the client leaves: half a deploy is nothing.
awaitable<void> deploy_in_lines(const Services& services, registry::DeployRequest wanted, KeptUpload upload,
                                std::shared_ptr<LogQueue> queue) {
  wanted.body_file = upload.path();
  auto deploying = services.deployer.deploy(std::move(wanted));
  Result<registry::Deployed> deployed;
  std::string failure;
  try {
    deployed = co_await std::move(deploying);
  } catch (const std::exception& thrown) {
    failure = thrown.what();
  }
  if (!failure.empty())
    deployed = std::unexpected(Error{std::make_error_code(std::errc::state_not_recoverable), failure, {}});
  json last;
  if (deployed) {
    last = {{"status", deployed->unchanged ? 200 : 201}, {"result", deployed_json(services, *deployed)}};
  } else {
    const auto problem = problem_response(deployed.error());
    last = {{"status", problem.status}, {"problem", json::parse(problem.body, nullptr, false)}};
  }
  queue->close(line_of(last));
}

}  // namespace

awaitable<Result<Response>> deploy(const Services& services, Request& request) {
  auto wanted = deploy_request(request);
  if (wants_lines(request)) {
    auto queue = std::make_shared<LogQueue>(services.control);
    wanted.output = [queue](std::string_view text) { queue->push(line_of({{"output", text}})); };
    auto working = deploy_in_lines(services, std::move(wanted), KeptUpload(request.upload), queue);
    asio::co_spawn(services.control, std::move(working), asio::detached);
    co_return Response{.content_type = std::string(kLines), .follow = queue};
  }
  auto deploying = services.deployer.deploy(std::move(wanted));
  auto deployed = co_await std::move(deploying);
  if (!deployed) co_return propagate(deployed);
  Response response = json_response(deployed_json(services, *deployed), deployed->unchanged ? 200 : 201);
  response.headers.emplace_back("Location", "/v1/functions/" + deployed->version->function);
  co_return response;
}

}  // namespace mayfly::admin
