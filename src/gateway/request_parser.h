// Reads HTTP/1.1 requests (RFC 9112) out of bytes, by Boost.Beast's parser, straight into the form in which
// they go to an instance.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional.hpp>
#include <string>
#include <string_view>

namespace mayfly::gateway {

/// One request. reset() it between requests: its strings keep their memory.
struct RequestHead {
  std::string method;
  std::string target;
  std::string host;
  std::string headers;  ///< "name\0value\0…", names in lower case, hop-by-hop fields left out
  std::size_t traceparent = std::string::npos;  ///< where in `headers` the value of that field begins
  std::string authority;  ///< of a target in absolute form; it stands for the Host field
  std::string options;    ///< "\0name\0name\0" of other fields that Connection names, in lower case
  bool has_host = false;
  bool has_length = false;
  bool expects_continue = false;
  bool http_1_0 = false;
  bool respond_async = false;  ///< Prefer: respond-async (RFC 7240)
  std::string_view fault{};    ///< what is wrong with it, where there are better words than Beast's

  /// Takes a field off the headers: `size` bytes of them, name and value.
  void take_off(std::size_t begin, std::size_t size) {
    headers.erase(begin, size);
    if (traceparent != std::string::npos && traceparent > begin) traceparent -= size;
  }
  void reset() {
    method.clear();
    target.clear();
    host.clear();
    headers.clear();
    traceparent = std::string::npos;
    authority.clear();
    options.clear();
    has_host = has_length = expects_continue = http_1_0 = respond_async = false;
    fault = {};
  }
};

/// A Beast parser that fills a RequestHead and appends body bytes to a string. Chunked bodies come
/// decoded; trailers and chunk extensions are ignored, and each limited as the header is.
///
/// Refuses, beyond what Beast does, all that two readers could understand differently: folded lines, two
/// lengths even if they are the same, codings other than chunked, hosts that are none, targets of a proxy,
/// fragments. A target in absolute form becomes its path, and its authority the host (RFC 9112,
/// section 3.2.2).
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  RequestParser(RequestHead& head, std::string& body, std::uint32_t header_limit)
      : head_(head), body_(body), limit_(header_limit) {
    this->header_limit(header_limit);
    this->body_limit(boost::none);  // the function's own limit is checked where it is known
    this->eager(false);             // the header alone first
  }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  using field = boost::beast::http::field;

  void on_request_impl(boost::beast::http::verb, string_view method, string_view target, int version,
                       error_code& error) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(field name, string_view text, string_view value, error_code&) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view part, error_code&) override {
    body_.append(part.data(), part.size());
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code&) override {
    body_.append(part.data(), part.size());
    return part.size();
  }
  void on_finish_impl(error_code&) override {}

  void append_field(string_view name, string_view value);
  void remember_options(string_view connection);
  void drop_options();

  RequestHead& head_;
  std::string& body_;
  const std::uint32_t limit_;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace mayfly::gateway
