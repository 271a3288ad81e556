#include "cli/http_client.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <limits>
#include <optional>

#include "base/text.h"
#include "cli/error.h"
#include "tls/stream.h"

namespace mayfly::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr auto kForever = std::chrono::milliseconds::max();

std::string host_and_port(const Url& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  return (v6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

Error lost(const beast::error_code& error) {
  if (error == beast::error::timeout) return {CliErrc::unreachable, "it did not answer in time", {}};
  if (error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::ssl::error::stream_truncated)
    return {CliErrc::unreachable, "it closed the connection in the middle of an answer", {}};
  return {CliErrc::unreachable, error.message(), {}};
}

template <class Message>
HttpAnswer head_of(const Message& message) {
  HttpAnswer answer{.status = message.result_int()};
  for (const auto& field : message) answer.headers.emplace_back(field.name_string(), field.value());
  return answer;
}

}  // namespace

std::string Url::origin() const { return (encrypted ? "https://" : "http://") + host_and_port(*this); }

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&] {
    return fail(
        CliErrc::usage,
        "'" + std::string(text) + "' is not the address of a daemon: http://HOST:PORT or https://HOST:PORT");
  };
  auto rest = text;
  Url url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    url.encrypted = true;
    url.port = 443;
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  }
  if (rest.find("://") != std::string_view::npos) return bad();
  const auto slash = std::min(rest.find('/'), rest.size());
  url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  auto authority = rest.substr(0, slash);
  const auto bracket = authority.find(']');
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const auto port = parse_integer(authority.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return bad();
    url.port = static_cast<std::uint16_t>(*port);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) return bad();
  url.host = authority;
  return url;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((std::isalnum(byte) != 0 && byte < 0x80) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      ((out += '%') += kDigits[byte >> 4U]) += kDigits[byte & 0xFU];
    }
  }
  return out;
}

std::string_view HttpAnswer::header(std::string_view name) const {
  const auto found =
      std::ranges::find_if(headers, [&](const auto& each) { return same_name(each.first, name); });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

struct HttpClient::Impl {
  explicit Impl(Url url) : server(std::move(url)) {}

  asio::awaitable<Result<void>> connect();
  asio::awaitable<Result<void>> shake_hands();
  asio::awaitable<Result<void>> write(const HttpRequest& request);
  asio::awaitable<Result<HttpAnswer>> exchange(const HttpRequest& request, std::chrono::milliseconds silence,
                                               const std::function<bool(std::string_view)>* on_data);
  asio::awaitable<Result<HttpAnswer>> read(std::chrono::milliseconds silence,
                                           const std::function<bool(std::string_view)>* on_data);
  void expect_within(std::chrono::milliseconds silence) {
    if (silence == kForever)
      stream->expires_never();
    else
      stream->expires_after(silence);
  }
  Result<HttpAnswer> run(const HttpRequest& request, std::chrono::milliseconds silence,
                         const std::function<bool(std::string_view)>* on_data);

  const Url server;
  asio::io_context context;
  std::optional<tls::Stream> stream;
  beast::flat_buffer buffer;
  std::atomic<bool> cancelled = false;
};

asio::awaitable<Result<void>> HttpClient::Impl::connect() {
  tcp::resolver resolver(context);
  const std::string port = std::to_string(server.port);
  const auto [unknown, addresses] = co_await resolver.async_resolve(server.host, port, kNoThrow);
  if (unknown) co_return fail(CliErrc::unreachable, "the host " + server.host + " is not known");
  if (cancelled) co_return fail(CliErrc::unreachable, "cancelled");  // connecting would open the socket again
  stream->expires_after(std::chrono::seconds(5));
  const auto [error, endpoint] = co_await stream->tcp().async_connect(addresses, kNoThrow);
  if (error) co_return std::unexpected(lost(error));
  beast::error_code ignored;
  const tcp::no_delay no_delay(true);
  stream->socket().set_option(no_delay, ignored);
  if (server.encrypted) co_return co_await shake_hands();
  co_return Result<void>{};
}

asio::awaitable<Result<void>> HttpClient::Impl::shake_hands() {
  const auto trust = tls::client_context(server.authorities);
  if (!trust) co_return fail(CliErrc::usage, trust.error().message);
  SSL* connection = tls::client_connection(*trust, server.host);
  if (connection == nullptr) co_return fail(CliErrc::usage, "no certificate can be for " + server.host);
  stream->encrypt(connection);
  stream->expires_after(std::chrono::seconds(10));
  const auto [error] = co_await stream->async_handshake(asio::ssl::stream_base::client, kNoThrow);
  if (!error) co_return Result<void>{};
  const long verified = ::SSL_get_verify_result(connection);
  if (verified != X509_V_OK)
    co_return fail(CliErrc::unreachable, std::string("its certificate is not believed: ") +
                                             ::X509_verify_cert_error_string(verified) +
                                             "; --ca or MAYFLY_CA names the authority to believe");
  co_return std::unexpected(lost(error));
}

asio::awaitable<Result<void>> HttpClient::Impl::write(const HttpRequest& request) {
  http::request<http::string_body> message;
  message.method_string(request.method);
  message.target(server.path + request.target);
  message.version(11);
  message.set(http::field::host, host_and_port(server));
  message.set(http::field::user_agent, "mayfly");
  message.set(http::field::connection, "close");
  for (const auto& [name, value] : request.headers) message.insert(name, value);
  message.body() = request.body;
  message.prepare_payload();
  stream->expires_after(std::chrono::seconds(60));
  const auto [error, size] = co_await http::async_write(*stream, message, kNoThrow);
  // The server may have answered (401, 413) and stopped reading: its answer says more than the error.
  if (error && error != asio::error::broken_pipe && error != asio::error::connection_reset)
    co_return std::unexpected(lost(error));
  co_return Result<void>{};
}

asio::awaitable<Result<HttpAnswer>> HttpClient::Impl::read(
    std::chrono::milliseconds silence, const std::function<bool(std::string_view)>* on_data) {
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  expect_within(silence);
  const auto [broken, ignored] = co_await http::async_read_header(*stream, buffer, parser, kNoThrow);
  if (broken) co_return std::unexpected(lost(broken));
  HttpAnswer answer = head_of(parser.get());
  const bool streamed = on_data != nullptr && answer.status == 200;
  std::vector<char> space(64U << 10U);
  while (!parser.is_done()) {
    parser.get().body().data = space.data();
    parser.get().body().size = space.size();
    expect_within(silence);
    const auto [error, size] = co_await http::async_read_some(*stream, buffer, parser, kNoThrow);
    if (error && error != http::error::need_buffer) co_return std::unexpected(lost(error));
    const std::string_view piece(space.data(), space.size() - parser.get().body().size);
    if (!streamed)
      answer.body.append(piece);
    else if (!piece.empty() && !(*on_data)(piece))
      break;
  }
  co_return answer;
}

asio::awaitable<Result<HttpAnswer>> HttpClient::Impl::exchange(
    const HttpRequest& request, std::chrono::milliseconds silence,
    const std::function<bool(std::string_view)>* on_data) {
  auto connected = co_await connect();
  if (!connected) co_return propagate(connected);
  auto written = co_await write(request);
  if (!written) co_return propagate(written);
  co_return co_await read(silence, on_data);
}

Result<HttpAnswer> HttpClient::Impl::run(const HttpRequest& request, std::chrono::milliseconds silence,
                                         const std::function<bool(std::string_view)>* on_data) {
  context.restart();
  buffer.clear();
  stream.emplace(context);
  Result<HttpAnswer> result = fail(CliErrc::unreachable, "cancelled");
  if (cancelled) return result;
  asio::co_spawn(context, exchange(request, silence, on_data),
                 [&](const std::exception_ptr& failure, Result<HttpAnswer> answer) {
                   if (!failure) result = std::move(answer);
                 });
  context.run();
  return result;
}

HttpClient::HttpClient(Url server) : impl_(std::make_unique<Impl>(std::move(server))) {}
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::send(const HttpRequest& request, std::chrono::milliseconds silence) {
  return impl_->run(request, silence, nullptr);
}

Result<HttpAnswer> HttpClient::stream(const HttpRequest& request,
                                      const std::function<bool(std::string_view)>& on_data) {
  return impl_->run(request, kForever, &on_data);
}

void HttpClient::cancel() {
  impl_->cancelled = true;
  asio::post(impl_->context, [impl = impl_.get()] {
    if (impl->stream) impl->stream->close();
  });
}

}  // namespace mayfly::cli
