#include "cli/deploy_client.h"

#include "cli/error.h"
#include "cli/input.h"
#include "cli/package.h"

namespace mayfly::cli {

Result<Upload> make_upload(const Project& project, bool vendored) {
  if (project.folder) {
    auto package = pack(project.path, project.sources, vendored);
    if (!package) return propagate(package);
    return Upload{.file = "source.tar.gz", .body = std::move(package->bytes), .origin = origin_of(project)};
  }
  auto text = read_file(project.path);
  if (!text) return propagate(text);
  return Upload{
      .file = project.path.filename().string(), .body = std::move(*text), .origin = origin_of(project)};
}

std::string origin_of(const Project& project) {
  std::error_code error;
  const auto path = std::filesystem::canonical(project.path, error);
  return error ? std::string() : path.string();
}

Result<nlohmann::json> deploy_function(const DaemonClient& client, const std::string& name,
                                       const Upload& upload, const DeploySettings& settings,
                                       const std::function<void(std::string_view)>& on_output) {
  std::string target = function_target(name, "?file=" + percent_encode(upload.file));
  for (const auto& each : settings.set) target += "&set=" + percent_encode(each);
  if (!upload.origin.empty()) target += "&origin=" + percent_encode(upload.origin);
  if (settings.keep_traffic) target += "&keep_traffic=1";
  HttpRequest request{.method = "PUT", .target = std::move(target)};
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.headers.emplace_back("Accept", "application/x-ndjson, application/problem+json");
  request.body = upload.body;
  nlohmann::json last;
  const auto take = [&](std::string_view line) {
    auto value = nlohmann::json::parse(line, nullptr, false);
    if (!value.is_object()) return true;
    if (const auto text = value.find("output"); text != value.end() && text->is_string()) {
      if (on_output) on_output(text->get_ref<const std::string&>());
    } else if (value.contains("status")) {
      last = std::move(value);
    }
    return true;
  };
  HttpClient connection(client.url());
  auto done = client.lines(std::move(request), take, connection);
  if (!done) return propagate(done);
  if (last.contains("result")) return last["result"];
  if (last.contains("problem")) return std::unexpected(problem_error(last["problem"]));
  return fail(CliErrc::unreachable, "the daemon ended before the deploy did");
}

std::string_view LastLine::add(std::string_view piece) {
  begun_.append(piece);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = begun_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    auto line = begun_.substr(begin, end - begin);
    if (line.find_first_not_of(" \t\r") != std::string::npos) line_ = std::move(line);
  }
  begun_.erase(0, begin);
  if (begun_.size() > 4096) begun_.erase(0, begun_.size() - 4096);  // a tool that never ends a line
  return line_;
}

}  // namespace mayfly::cli
