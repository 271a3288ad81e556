#include "exec/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/optional.hpp>
#include <cerrno>

#include "bridge/connection.h"
#include "exec/headers.h"

namespace mayfly::exec {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t kMaxHeader = 256U << 10U;

}  // namespace

std::string_view HttpRequest::field(std::string_view name) const {
  return bridge::header_value(fields, name);
}
std::string_view HttpRequest::trailer(std::string_view name) const {
  return bridge::header_value(trailers, name);
}

/// Beast's parser, straight into an HttpRequest.
class HttpConnection::Parser final : public http::basic_parser<true> {
 public:
  explicit Parser(HttpRequest& request) : request_(request) {
    header_limit(kMaxHeader);
    body_limit(boost::none);  // checked where the body is kept
    eager(true);
  }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(http::verb, string_view method, string_view target, int, error_code&) override {
    request_.method.assign(method.data(), method.size());
    request_.target.assign(target.data(), target.size());
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    append_field(is_header_done() ? request_.trailers : request_.fields, {name.data(), name.size()},
                 {value.data(), value.size()});
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view part, error_code&) override {
    request_.body.append(part.data(), part.size());
    return part.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code&) override {
    request_.body.append(part.data(), part.size());
    return part.size();
  }
  void on_finish_impl(error_code&) override {}

  HttpRequest& request_;
};

HttpConnection::HttpConnection(Loop& loop, HttpHandler& handler, Fd socket, std::size_t body_limit,
                               std::function<void(HttpConnection&)> ended)
    : handler_(handler), ended_(std::move(ended)), watch_(loop.reactor()), body_limit_(body_limit) {
  reset();
  watch_.open(std::move(socket), EPOLLIN, [this] { ready(); });
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::reset() {
  request_ = {};
  parser_ = std::make_unique<Parser>(request_);
  header_given_ = streams_ = paused_ = given_ = too_long_ = false;
}

void HttpConnection::ready() {
  if (!out_.empty()) flush();
  if (watch_.is_open()) read();
}

void HttpConnection::read() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(watch_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close();
  in_.append(buffer.data(), static_cast<std::size_t>(got));
  // A client that sends in small parts waits for the acknowledgement of each (RFC 896), which the kernel
  // would put off for 40 ms. It takes that back by itself.
  const int on = 1;
  ::setsockopt(watch_.fd(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  parse();
}

/// Gives the handler what there is. Not from within itself: who is called here may answer or resume at once.
void HttpConnection::parse() {
  if (std::exchange(parsing_, true)) return;
  while (watch_.is_open() && !given_ && !paused_ && !in_.empty()) {
    boost::beast::error_code error;
    const auto used = parser_->put(boost::asio::buffer(in_), error);
    in_.erase(0, used);
    if (error && error != http::error::need_more) {
      last_ = true;
      given_ = true;
      answer(400, {}, {});
      break;
    }
    if (!after_header()) break;
    if (used == 0 && error == http::error::need_more) break;
  }
  parsing_ = false;
  // Paused, or nothing may be read before the answer: what comes is left in the socket.
  if (watch_.is_open()) watch_.resume((paused_ ? 0U : EPOLLIN) | (out_.empty() ? 0U : EPOLLOUT));
}

/// False when more input is needed for anything to happen.
bool HttpConnection::after_header() {
  if (!parser_->is_header_done()) return false;
  if (!std::exchange(header_given_, true)) {
    streams_ = handler_.on_header(*this, request_);
    if (lower_case(request_.field("expect")) == "100-continue" && !parser_->is_done()) {
      out_ += "HTTP/1.1 100 Continue\r\n\r\n";
      flush();
    }
  }
  if (streams_ && !request_.body.empty()) {
    const auto part = std::exchange(request_.body, {});
    paused_ = !handler_.on_body(*this, part);
  } else if (request_.body.size() > body_limit_) {
    too_long_ = true;
    request_.body.clear();
  }
  if (!parser_->is_done()) return true;
  given_ = true;
  last_ = last_ || !parser_->keep_alive();
  handler_.on_request(*this, request_);
  return true;
}

void HttpConnection::resume() {
  paused_ = false;
  parse();
}

void HttpConnection::answer(unsigned status, std::string_view fields, std::string_view body) {
  if (!watch_.is_open()) return;
  const auto reason = http::obsolete_reason(static_cast<http::status>(status));
  out_ += "HTTP/1.1 " + std::to_string(status) + " ";
  out_.append(reason.data(), reason.size());
  out_ += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  if (last_) out_ += "Connection: close\r\n";
  out_.append(fields).append("\r\n").append(body);
  reset();
  flush();
  parse();
}

void HttpConnection::flush() {
  while (!out_.empty()) {
    const ssize_t sent = ::send(watch_.fd(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return close();
    if (sent < 0) break;
    out_.erase(0, static_cast<std::size_t>(sent));
  }
  if (out_.empty() && last_ && !given_) return close();
  watch_.resume((paused_ ? 0U : EPOLLIN) | (out_.empty() ? 0U : EPOLLOUT));
}

void HttpConnection::close() {
  if (!watch_.is_open()) return;
  watch_.close();
  handler_.on_closed(*this);
  ended_(*this);
}

HttpServer::~HttpServer() = default;

Result<std::uint16_t> HttpServer::listen(const std::string& address) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket");
  sockaddr_in name{};
  name.sin_family = AF_INET;
  ::inet_pton(AF_INET, address.c_str(), &name.sin_addr);
  socklen_t size = sizeof name;
  auto* generic = reinterpret_cast<sockaddr*>(&name);
  if (::bind(socket.get(), generic, size) != 0) return fail_errno("bind " + address);
  if (::listen(socket.get(), 16) != 0) return fail_errno("listen");
  if (::getsockname(socket.get(), generic, &size) != 0) return fail_errno("getsockname");
  listener_.open(std::move(socket), EPOLLIN, [this] { accept(); });
  return ntohs(name.sin_port);
}

void HttpServer::accept() {
  Fd socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connections_.insert(std::make_unique<HttpConnection>(
      loop_, handler_, std::move(socket), body_limit_, [this](HttpConnection& ended) {
        const auto found = std::ranges::find(connections_, &ended, &std::unique_ptr<HttpConnection>::get);
        if (found == connections_.end()) return;
        auto node = connections_.extract(found);
        const std::shared_ptr<HttpConnection> kept = std::move(node.value());
        loop_.later([kept] {});
      }));
}

}  // namespace mayfly::exec
