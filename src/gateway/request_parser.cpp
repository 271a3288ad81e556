#include "gateway/request_parser.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <functional>
#include <utility>

#include "pool/own_fields.h"

namespace mayfly::gateway {
namespace {

namespace beast = boost::beast;
using beast::http::error;
using std::string_view;

constexpr string_view kTraceField = "traceparent";

constexpr bool is_decimal(char c) { return c >= '0' && c <= '9'; }

constexpr bool is_host_char(char c) {
  return is_decimal(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         string_view("-._~%!$&'()*+,;=").find(c) != string_view::npos;
}

/// uri-host [ ":" port ] (RFC 9110, section 7.2); empty is allowed, a user's name is not.
bool is_host(string_view text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == string_view::npos) return false;
    for (const char c : text.substr(1, end - 1))
      if (!is_host_char(c) && c != ':') return false;
    ++end;
  } else {
    while (end < text.size() && is_host_char(text[end])) ++end;
  }
  if (end == text.size()) return true;
  return text[end] == ':' && text.size() - end <= 6 && std::ranges::all_of(text.substr(end + 1), is_decimal);
}

/// Whether a value did not stand right behind its name: it was on a line of its own, or put together from
/// several (RFC 9112, section 5.2; Beast keeps such values elsewhere).
bool is_folded(beast::string_view name, beast::string_view value) {
  const auto* colon = name.data() + name.size();
  const auto* begin = value.data();
  if (std::less{}(begin, colon + 1) || !std::less{}(begin, colon + (1U << 20U))) return true;
  return std::any_of(colon + 1, begin, [](char c) { return c != ' ' && c != '\t'; });
}

void append_lower(std::string& out, beast::string_view text) {
  const std::size_t begin = out.size();
  out.append(text.data(), text.size());
  for (std::size_t i = begin; i < out.size(); ++i)
    if (out[i] >= 'A' && out[i] <= 'Z') out[i] = static_cast<char>(out[i] - 'A' + 'a');
}

/// Whether a value of Prefer (RFC 7240, section 2) has the preference respond-async (section 4.1).
bool prefers_async(std::string_view value) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!value.empty()) {
    auto one = value.substr(0, value.find(','));
    value.remove_prefix(std::min(value.size(), one.size() + 1));
    one = one.substr(0, one.find(';'));
    while (!one.empty() && blank(one.front())) one.remove_prefix(1);
    while (!one.empty() && blank(one.back())) one.remove_suffix(1);
    if (beast::iequals(one, "respond-async")) return true;
  }
  return false;
}

}  // namespace

/// RFC 9112, section 3.2. What begins with "/" is the usual case; "*" is for OPTIONS alone; an authority
/// alone is for proxies.
void RequestParser::on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                                    int version, error_code& failed) {
  head_.http_1_0 = version < 11;
  head_.method.assign(method.data(), method.size());
  head_.target.assign(target.data(), target.size());
  if (head_.target.contains('#')) {  // a client keeps it to itself: others may route by it, or not
    head_.fault = "a request's target has no fragment";
    failed = error::bad_target;
    return;
  }
  if (target.front() == '/') return;
  if (target == "*" && head_.method == "OPTIONS") return;
  for (const string_view scheme : {"http://", "https://"}) {
    if (!beast::iequals(target.substr(0, scheme.size()), beast::string_view(scheme))) continue;
    const auto path = std::min(head_.target.find_first_of("/?", scheme.size()), head_.target.size());
    head_.authority = head_.target.substr(scheme.size(), path - scheme.size());
    head_.target.erase(0, path);
    if (!head_.target.starts_with('/')) head_.target.insert(0, "/");
    if (head_.authority.empty() || !is_host(head_.authority)) failed = error::bad_target;
    return;
  }
  failed = error::bad_target;
}

void RequestParser::on_field_impl(field name, beast::string_view text, beast::string_view value,
                                  error_code& failed) {
  if (is_folded(text, value)) {
    failed = error::bad_line_ending;
    return;
  }
  if (is_header_done()) {  // a trailer: the function has its headers already
    trailer_bytes_ += text.size() + value.size() + 4;
    if (trailer_bytes_ > limit_) failed = error::header_limit;
    return;
  }
  switch (name) {  // hop-by-hop (RFC 9110, section 7.6.1): between the client and the gateway only
    case field::connection:
      return remember_options(value);
    case field::keep_alive:
    case field::proxy_connection:
    case field::te:
    case field::trailer:
    case field::upgrade:
      return;
    case field::transfer_encoding:
      // Any other coding leaves the body's end to guesses (RFC 9112, section 6.3): Beast would see no body,
      // and the body as the next request.
      if (head_.http_1_0 || !beast::iequals(value, "chunked")) failed = error::bad_transfer_encoding;
      return;
    case field::content_length:
      // "5, 5" and two fields of the same value are allowed to be taken for one; nobody needs them.
      if (std::exchange(head_.has_length, true) || !std::all_of(value.begin(), value.end(), is_decimal))
        failed = error::bad_content_length;
      break;
    case field::expect:
      head_.expects_continue = !head_.http_1_0 && beast::iequals(value, "100-continue");
      return;
    case field::host:
      // Two hosts, or one that is none: a request that two readers may understand differently.
      if (std::exchange(head_.has_host, true)) head_.fault = "there are two Host fields";
      if (head_.fault.empty() && !is_host({value.data(), value.size()}))
        head_.fault = "the Host field has no host";
      if (!head_.fault.empty()) {
        failed = error::bad_value;
        return;
      }
      if (!head_.authority.empty()) value = head_.authority;
      head_.host.assign(value.data(), value.size());
      break;
    case field::prefer:
      head_.respond_async |= prefers_async({value.data(), value.size()});
      break;
    default:
      break;
  }
  append_field(text, value);
}

void RequestParser::append_field(beast::string_view name, beast::string_view value) {
  auto& out = head_.headers;
  const std::size_t begin = out.size();
  append_lower(out, name);
  const auto lower = string_view(out).substr(begin);
  if (pool::is_own_field(lower)) return out.resize(begin);
  const bool is_trace = lower == kTraceField;
  out.push_back('\0');
  if (is_trace) head_.traceparent = out.size();
  out.append(value.data(), value.size());
  out.push_back('\0');
}

/// RFC 9112, section 3.2: HTTP/1.1 without a host is a bad request.
void RequestParser::on_header_impl(error_code& failed) {
  if (!head_.http_1_0 && !head_.has_host) {
    head_.fault = "there is no Host field";
    failed = error::bad_field;
  }
  if (!head_.has_host && !head_.authority.empty()) {
    head_.host = head_.authority;
    append_field("host", head_.host);
  }
  if (!head_.options.empty()) drop_options();
}

/// Keeps the names of fields that are for this connection only. Not those that say where the request goes
/// and where it ends: they are for all (RFC 9110, section 7.6.1).
void RequestParser::remember_options(beast::string_view connection) {
  if (beast::iequals(connection, "keep-alive") || beast::iequals(connection, "close")) return;
  for (const auto option : beast::http::token_list(connection)) {
    if (beast::iequals(option, "host") || beast::iequals(option, "content-length")) continue;
    if (head_.options.empty()) head_.options.push_back('\0');
    append_lower(head_.options, option);
    head_.options.push_back('\0');
  }
}

void RequestParser::drop_options() {
  const std::string all = std::exchange(head_.headers, {});
  head_.traceparent = std::string::npos;
  for (string_view rest = all; !rest.empty();) {
    const auto name_end = rest.find('\0');
    const auto value_end = rest.find('\0', name_end + 1);
    const auto name = rest.substr(0, name_end);
    const auto value = rest.substr(name_end + 1, value_end - name_end - 1);
    rest.remove_prefix(value_end + 1);
    if (head_.options.find(std::string(1, '\0').append(name).append(1, '\0')) == std::string::npos)
      append_field({name.data(), name.size()}, {value.data(), value.size()});
  }
}

/// Beast lets any byte stand in a quoted string, also a line feed, which others take for the line's end.
void RequestParser::on_chunk_header_impl(std::uint64_t, beast::string_view extensions, error_code& failed) {
  if (std::any_of(extensions.begin(), extensions.end(),
                  [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }))
    failed = error::bad_chunk_extension;
  if (extensions.size() > limit_) failed = error::header_limit;
}

}  // namespace mayfly::gateway
