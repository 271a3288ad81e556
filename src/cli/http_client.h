// A small HTTP/1.1 client, with TLS or without: one request, one connection. Blocking.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mayfly::cli {

struct Url {
  std::string host;
  std::uint16_t port = 80;
  std::string path;        ///< without a slash at its end
  bool encrypted = false;  ///< https
  /// PEM of the authorities to believe, for https; empty: those of the system.
  std::filesystem::path authorities{};
  [[nodiscard]] std::string origin() const;  ///< "http://127.0.0.1:8081"
};
/// "http://HOST[:PORT][/PATH]", also with "https://" or without either. Anything else is an error (usage).
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// For a segment of a path or a value in a query.
[[nodiscard]] std::string percent_encode(std::string_view text);

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target;
  HeaderList headers{};
  std::string body{};
};

struct HttpAnswer {
  unsigned status = 0;
  HeaderList headers{};
  std::string body{};
  /// The first of that name in any case, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Errors: unreachable. Not for several threads at once, but for cancel().
class HttpClient {
 public:
  explicit HttpClient(Url server);
  ~HttpClient();

  /// The whole answer. `silence` is the longest time without a byte.
  [[nodiscard]] Result<HttpAnswer> send(const HttpRequest& request, std::chrono::milliseconds silence);
  /// An answer of status 200 goes piece by piece to `on_data`, until it says false or the server ends it;
  /// any other is given back whole.
  [[nodiscard]] Result<HttpAnswer> stream(const HttpRequest& request,
                                          const std::function<bool(std::string_view)>& on_data);
  /// From any thread: what is under way ends with an error, and so does all that comes later.
  void cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mayfly::cli
