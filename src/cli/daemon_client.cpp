#include "cli/daemon_client.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/error.h"
#include "cli/serve_options.h"

namespace mayfly::cli {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// A deploy may bundle and warm up; an invocation may run for 15 minutes.
constexpr std::chrono::minutes kLongestSilence{20};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_platform_problem(const HttpAnswer& answer) {
  if (!answer.header("Content-Type").starts_with("application/problem+json")) return false;
  const auto document = json::parse(answer.body, nullptr, false);
  return document.is_object() && document.value("type", "").starts_with("urn:mayfly:");
}

}  // namespace

fs::path data_folder(const std::optional<std::string>& option) {
  if (option) return fs::absolute(*option);
  if (const auto data = environment("MAYFLY_DATA"); !data.empty()) return fs::absolute(data);
  if (::geteuid() == 0) return "/var/lib/mayfly";
  if (const auto xdg = environment("XDG_DATA_HOME"); xdg.starts_with('/')) return fs::path(xdg) / "mayfly";
  const auto home = environment("HOME");
  return fs::path(home.empty() ? "/tmp" : home) / ".local/share/mayfly";
}

std::string admin_url(const Connection& connection) {
  if (connection.admin_url) return *connection.admin_url;
  if (auto url = environment("MAYFLY_ADMIN"); !url.empty()) return url;
  std::ifstream stream(data_folder(connection.data) / kAddressFile);
  std::string url;
  return stream >> url ? url : std::string(kDefaultAdminUrl);
}

Result<Url> admin_address(const Connection& connection) {
  auto url = parse_url(admin_url(connection));
  if (url) url->authorities = connection.ca ? *connection.ca : environment("MAYFLY_CA");
  return url;
}

Result<std::string> admin_token(const Connection& connection) {
  if (connection.token) return *connection.token;
  if (auto token = environment("MAYFLY_TOKEN"); !token.empty()) return token;
  const auto file = data_folder(connection.data) / "admin-token";
  std::ifstream stream(file);
  std::string token;
  if (stream >> token) return token;
  std::error_code error;
  const bool there = fs::exists(file, error);
  return fail(CliErrc::unauthorized,
              there || error
                  ? "the admin token in " + file.string() + " cannot be read by this user"
                  : "there is no admin token: no daemon ever ran with the data folder " +
                        file.parent_path().string() +
                        "\nstart one with `mayfly serve`, name its folder with --data, or give the token "
                        "with --token or MAYFLY_TOKEN");
}

Result<DaemonClient> DaemonClient::open(const Connection& connection) {
  auto url = admin_address(connection);
  if (!url) return propagate(url);
  auto token = admin_token(connection);
  if (!token) {
    // Without a daemon there is nothing to have a token for: say that first.
    HttpClient probe(*url);
    const HttpRequest healthy{.target = "/healthz"};
    auto answer = probe.send(healthy, std::chrono::seconds(5));
    if (!answer) return std::unexpected(DaemonClient(*url, "").explain(std::move(answer.error())));
    return propagate(token);
  }
  return DaemonClient(std::move(*url), std::move(*token));
}

Error DaemonClient::explain(Error error) const {
  if (error.code == CliErrc::unreachable)
    error.message = "no daemon at " + url_.origin() + " (" + error.message +
                    "): start one with `mayfly serve`, or say where it is with --admin-url or MAYFLY_ADMIN";
  return error;
}

std::optional<Error> DaemonClient::refusal(const HttpAnswer& answer) const {
  if (answer.status < 400) return std::nullopt;
  if (answer.status == 401)
    return Error{
        CliErrc::unauthorized,
        "the daemon at " + url_.origin() +
            " does not take this token: give the right one with --token, MAYFLY_TOKEN, or the daemon's data "
            "folder with --data",
        {}};
  if (is_platform_problem(answer)) {
    return problem_error(json::parse(answer.body));
  }
  return Error{CliErrc::failed,
               "what answers at " + url_.origin() + " does not speak as a daemon does (status " +
                   std::to_string(answer.status) + ")",
               {}};
}

Result<HttpAnswer> DaemonClient::exchange(HttpRequest request) const {
  request.headers.emplace_back("Authorization", "Bearer " + token_);
  HttpClient client(url_);
  auto answer = client.send(request, kLongestSilence);
  if (!answer) return std::unexpected(explain(std::move(answer.error())));
  return answer;
}

Result<HttpAnswer> DaemonClient::send(HttpRequest request) const {
  auto answer = exchange(std::move(request));
  if (!answer) return answer;
  if (auto error = refusal(*answer)) return std::unexpected(std::move(*error));
  return answer;
}

Result<HttpAnswer> DaemonClient::send_to_function(HttpRequest request) const {
  auto answer = exchange(std::move(request));
  // A function may answer 401 or 404 itself: only what the platform says is an error here.
  if (!answer || !is_platform_problem(*answer)) return answer;
  return std::unexpected(*refusal(*answer));
}

Result<json> DaemonClient::get(const std::string& target) const {
  auto answer = send({.target = target});
  if (!answer) return propagate(answer);
  return parse_answer(*answer);
}

Result<json> DaemonClient::send_json(const std::string& method, const std::string& target,
                                     const json& body) const {
  HttpRequest request{.method = method, .target = target};
  if (!body.is_null()) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body.dump();
  }
  auto answer = send(std::move(request));
  if (!answer) return propagate(answer);
  if (answer->status == 204) return json::object();
  return parse_answer(*answer);
}

Result<void> DaemonClient::lines(HttpRequest request, const std::function<bool(std::string_view)>& on_line,
                                 HttpClient& client) const {
  request.headers.emplace_back("Authorization", "Bearer " + token_);
  std::string pending;
  auto answer = client.stream(request, [&](std::string_view piece) {
    pending.append(piece);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const auto line = std::string_view(pending).substr(begin, end - begin);
      if (!line.empty() && !on_line(line)) return false;  // empty: only a sign of life
    }
    pending.erase(0, begin);
    return true;
  });
  if (!answer) return std::unexpected(explain(std::move(answer.error())));
  if (auto error = refusal(*answer)) return std::unexpected(std::move(*error));
  return {};
}

Error problem_error(const json& document) {
  Error error{CliErrc::problem, document.value("detail", document.value("title", "")), {}};
  return std::move(error).with("problem", document.dump());
}

std::string function_target(const std::string& name, const std::string& rest) {
  return "/v1/functions/" + percent_encode(name) + rest;
}

Result<json> parse_answer(const HttpAnswer& answer) {
  auto document = json::parse(answer.body, nullptr, false);
  if (document.is_discarded()) return fail(CliErrc::failed, "the daemon's answer is not JSON");
  return document;
}

}  // namespace mayfly::cli
