// Talking to the daemon: where it is, the token, and its answers as JSON or as errors in plain words.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/http_client.h"
#include "cli/verb.h"

namespace mayfly::cli {

inline constexpr std::string_view kDefaultAdminUrl = "http://127.0.0.1:8081";

/// --data, else MAYFLY_DATA, else /var/lib/mayfly for root, else $XDG_DATA_HOME/mayfly, else
/// ~/.local/share/mayfly.
[[nodiscard]] std::filesystem::path data_folder(const std::optional<std::string>& option);
/// --admin-url, else MAYFLY_ADMIN, else where the daemon of the data folder was last, else the local default.
[[nodiscard]] std::string admin_url(const Connection& connection);
/// That address, with --ca, else MAYFLY_CA.
[[nodiscard]] Result<Url> admin_address(const Connection& connection);
/// --token, else MAYFLY_TOKEN, else the file of the data folder. An error says how to give one.
[[nodiscard]] Result<std::string> admin_token(const Connection& connection);

/// The daemon's admin API. Errors: unreachable and unauthorized, with what to do next; problem, whose
/// detail "problem" is the document.
class DaemonClient {
 public:
  [[nodiscard]] static Result<DaemonClient> open(const Connection& connection);

  /// The answer if its status is below 400, an error otherwise. Waits for as long as a deploy may take.
  [[nodiscard]] Result<HttpAnswer> send(HttpRequest request) const;
  /// As send(), any status that is not a problem of the platform.
  [[nodiscard]] Result<HttpAnswer> send_to_function(HttpRequest request) const;
  [[nodiscard]] Result<nlohmann::json> get(const std::string& target) const;
  [[nodiscard]] Result<nlohmann::json> send_json(const std::string& method, const std::string& target,
                                                 const nlohmann::json& body) const;
  /// Lines of a streamed answer, without their ends, until `on_line` says false or the daemon ends it.
  [[nodiscard]] Result<void> lines(HttpRequest request, const std::function<bool(std::string_view)>& on_line,
                                   HttpClient& client) const;

  [[nodiscard]] const Url& url() const { return url_; }

 private:
  DaemonClient(Url url, std::string token) : url_(std::move(url)), token_(std::move(token)) {}
  [[nodiscard]] Result<HttpAnswer> exchange(HttpRequest request) const;
  [[nodiscard]] Error explain(Error error) const;
  [[nodiscard]] std::optional<Error> refusal(const HttpAnswer& answer) const;

  Url url_;
  std::string token_;
};

/// "/v1/functions/NAME" + rest
[[nodiscard]] std::string function_target(const std::string& name, const std::string& rest = "");
/// The error (problem) that a problem document is.
[[nodiscard]] Error problem_error(const nlohmann::json& document);
[[nodiscard]] Result<nlohmann::json> parse_answer(const HttpAnswer& answer);

}  // namespace mayfly::cli
