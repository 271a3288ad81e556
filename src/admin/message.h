// A request to the admin plane and its answer, as a route's handler sees them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "admin/platform.h"
#include "base/result.h"

namespace mayfly::admin {

/// Key and value, percent-decoded, in the order of the query string.
using Query = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method{};
  std::map<std::string, std::string, std::less<>> params{};  ///< from the route's pattern, percent-decoded
  Query query{};
  Headers headers{};
  std::string body{};              ///< routes that take JSON or a payload
  std::filesystem::path upload{};  ///< routes that take an upload: a file that is gone after the answer
  std::uint64_t upload_size = 0;
  std::shared_ptr<Client> client{};  ///< whose request this is

  [[nodiscard]] const std::string& param(std::string_view name) const { return params.find(name)->second; }
  /// The first of that name, or nothing.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  /// "1", "true" or no value at all is true; absent is false.
  [[nodiscard]] bool query_flag(std::string_view name) const;
  /// A whole number of 0…max, or `otherwise` when it is absent.
  [[nodiscard]] Result<std::size_t> query_number(std::string_view name, std::size_t otherwise,
                                                 std::size_t max) const;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  Headers headers{};
  std::string body{};
  /// If set, the lines of this queue follow the body as they come, until it is closed or the client leaves.
  std::shared_ptr<LogQueue> follow{};
};

[[nodiscard]] Response json_response(const nlohmann::json& value, unsigned status = 200);
/// The problem document of an error, with its status.
[[nodiscard]] Response problem_response(const Error& error);

/// "a%20b" → "a b" ('+' is a blank only in a query); nothing when it is malformed or holds a NUL.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank = false);
/// What follows '?'. Malformed pairs are an error.
[[nodiscard]] Result<Query> parse_query(std::string_view text);

}  // namespace mayfly::admin
