#include "gateway/error.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/error.hpp>

#include "base/text.h"

namespace mayfly::gateway {
namespace {

namespace http = boost::beast::http;

/// "HTTP/2.0" and the like.
bool is_other_version(std::string_view text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.size() == 8 && text.starts_with("HTTP/") && digit(text[5]) && text[6] == '.' &&
         digit(text[7]) && !text.ends_with("1.0") && !text.ends_with("1.1");
}

}  // namespace

std::error_code make_error_code(GatewayErrc code) {
  static const SlugCategory<GatewayErrc, 9> category(
      "gateway",
      std::array{"bad-request", "header-too-large", "header-timeout", "body-too-large",
                 "too-many-connections", "bad-answer", "draining", "line-too-long", "unsupported-version"});
  return {static_cast<int>(code), category};
}

Error header_error(const boost::beast::error_code& error, std::string_view bytes, std::uint32_t limit,
                   std::string_view fault) {
  const auto line = bytes.substr(0, bytes.find('\r'));
  if (error == http::error::header_limit) {
    const bool whole_line = line.size() < std::min<std::size_t>(bytes.size(), limit);
    return Error{whole_line ? GatewayErrc::header_too_large : GatewayErrc::line_too_long,
                 "the request's header is too large",
                 {}}
        .with("limit", std::to_string(limit));
  }
  if (error == http::error::bad_version && is_other_version(line.substr(line.rfind(' ') + 1)))
    return Error{GatewayErrc::unsupported_version, "this is HTTP/1.1 and 1.0 only", {}};
  return Error{GatewayErrc::bad_request,
               "not a valid HTTP request: " + (fault.empty() ? error.message() : std::string(fault)),
               {}};
}

Error body_too_large(std::uint64_t limit, std::string_view setting) {
  const auto text = format_size(limit);
  const auto what = setting.empty() ? text : std::string(setting) + ", " + text;
  return Error{GatewayErrc::body_too_large, "the request's body is larger than " + what, {}}.with("limit",
                                                                                                  text);
}

Error body_error(const boost::beast::error_code& error, std::uint32_t limit) {
  if (error == http::error::header_limit)
    return Error{GatewayErrc::header_too_large, "a line of the request's body is too large", {}}.with(
        "limit", std::to_string(limit));
  return Error{GatewayErrc::bad_request, "not a valid HTTP request: " + error.message(), {}};
}

}  // namespace mayfly::gateway
