#include "gateway/request_parser.h"

#include <boost/beast/core/string.hpp>
#include <utility>

namespace mayfly::gateway {

void RequestParser::on_field_impl(field name, string_view text, string_view value, error_code& error) {
  if (is_header_done()) return;  // a trailer: the function has its headers already
  switch (name) {  // hop-by-hop (RFC 9110, section 7.6.1): between the client and the gateway only
    case field::connection:
    case field::keep_alive:
    case field::proxy_connection:
    case field::te:
    case field::trailer:
    case field::upgrade:
      return;
    case field::transfer_encoding:
      // Any other coding leaves the body's end to guesses (RFC 9112, section 6.3): Beast would see no body,
      // and the body as the next request.
      if (head_.http_1_0 || !boost::beast::iequals(value, "chunked"))
        error = boost::beast::http::error::bad_transfer_encoding;
      return;
    case field::expect:
      head_.expects_continue = boost::beast::iequals(value, "100-continue");
      return;
    case field::host:
      if (std::exchange(head_.has_host,
                        true)) {  // two hosts: a request that two readers may understand differently
        error = boost::beast::http::error::bad_value;
        return;
      }
      head_.host.assign(value.data(), value.size());
      break;
    default:
      break;
  }
  auto& out = head_.headers;
  const std::size_t begin = out.size();
  out.append(text.data(), text.size());
  for (std::size_t i = begin; i < out.size(); ++i)
    if (out[i] >= 'A' && out[i] <= 'Z') out[i] = static_cast<char>(out[i] - 'A' + 'a');
  const bool is_traceparent = std::string_view(out).substr(begin) == "traceparent";
  out.push_back('\0');
  if (is_traceparent) head_.traceparent = out.size();
  out.append(value.data(), value.size());
  out.push_back('\0');
}

/// RFC 9112, section 3.2: HTTP/1.1 without a host is a bad request.
void RequestParser::on_header_impl(error_code& error) {
  if (!head_.http_1_0 && !head_.has_host) error = boost::beast::http::error::bad_field;
}

}  // namespace mayfly::gateway
