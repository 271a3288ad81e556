#include "admin/session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <cstdlib>
#include <limits>

#include "admin/errors.h"
#include "admin/token.h"
#include "base/fd.h"

namespace mayfly::admin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

// A named token, and references for what is awaited: GCC 12 destroys temporaries inside co_await expressions
// twice.
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

/// The error of a request that did not arrive whole, to be answered before the connection is closed.
Error read_error(const beast::error_code& error, std::uint64_t limit) {
  if (error == http::error::body_limit)
    return Error{AdminErrc::body_too_large, "the body is larger than " + std::to_string(limit) + " bytes", {}}
        .with("limit", std::to_string(limit));
  if (error == http::error::header_limit)
    return {AdminErrc::header_too_large, "the header is larger than " + std::to_string(limit) + " bytes", {}};
  if (error == beast::error::timeout)
    return {AdminErrc::request_timeout, "the rest of the request did not arrive in time", {}};
  return {AdminErrc::bad_request, error.message(), {}};
}

/// Nobody is there to read an answer.
bool is_gone(const beast::error_code& error) {
  return error == http::error::end_of_stream || error == asio::error::connection_reset ||
         error == asio::error::operation_aborted || error == asio::error::eof ||
         error == http::error::partial_message;
}

/// An upload's file: removed when the request is done.
class UploadFile {
 public:
  UploadFile() = default;
  UploadFile(const UploadFile&) = delete;
  UploadFile& operator=(const UploadFile&) = delete;
  ~UploadFile() {
    if (fd_) ::unlink(path_.c_str());
  }
  Result<void> create(const std::filesystem::path& folder) {
    path_ = (folder / "upload.XXXXXX").string();
    fd_ = Fd(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd_) return fail_errno("create a file in " + folder.string());
    return {};
  }
  Result<void> write(const char* data, std::size_t size) {
    while (size > 0) {
      const auto done = ::write(fd_.get(), data, size);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return fail_errno("write the upload");
      data += done;
      size -= static_cast<std::size_t>(done);
    }
    return {};
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace

namespace {

/// While it lives, a client that closes its connection is told of. What else it sends is left for later.
class Departure {
 public:
  Departure(asio::ip::tcp::socket& socket, std::shared_ptr<Client> client)
      : socket_(socket), client_(std::move(client)) {
    socket_.async_wait(
        asio::ip::tcp::socket::wait_read,
        [descriptor = socket_.native_handle(), client = std::weak_ptr(client_)](beast::error_code error) {
          const auto there = client.lock();
          char byte = 0;
          if (error || !there) return;
          const auto got = ::recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
          if (got > 0 || (got < 0 && errno == EAGAIN)) return;
          if (const auto left = std::exchange(there->on_left, {})) left();
        });
  }
  ~Departure() {
    beast::error_code ignored;
    socket_.cancel(ignored);
  }
  Departure(const Departure&) = delete;
  Departure& operator=(const Departure&) = delete;

 private:
  asio::ip::tcp::socket& socket_;
  std::shared_ptr<Client> client_;
};

}  // namespace

/// What is known of the request that is being handled.
struct Session::Exchange {
  const Route* route = nullptr;
  Request request;
  UploadFile upload;
  bool consumed = true;  ///< all of the request has been read: another one may follow
  bool keep_alive = false;
  bool head_only = false;
};

Session::Session(asio::ip::tcp::socket socket, const ServerOptions& options, const RouteTable& table)
    : stream_(std::move(socket)), options_(options), table_(table) {
  beast::error_code gone;
  const auto local = stream_.socket().local_endpoint(gone);
  auto address = local.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  place_ = {.address = address.to_string(),
            .port = local.port(),
            .encrypted = options_.certificate != nullptr,
            .names = options_.names};
}

void Session::stop() {
  stopping_ = true;
  if (following_) following_->close();
  if (idle_) abort();
}

void Session::abort() { stream_.close(); }

asio::awaitable<void> Session::run() {
  beast::error_code ignored;
  const asio::ip::tcp::no_delay no_delay(true);
  stream_.socket().set_option(no_delay, ignored);
  if (options_.certificate != nullptr) {
    const bool shaken = co_await shake_hands();
    if (!shaken) co_return stream_.close();
  }
  while (!stopping_) {
    idle_ = true;
    const bool more = co_await serve_one();
    if (!more) break;
  }
  co_await close();
}

asio::awaitable<bool> Session::shake_hands() {
  SSL* connection = ::SSL_new(options_.certificate->context().get());
  if (connection == nullptr) co_return false;
  stream_.encrypt(connection);
  stream_.expires_after(options_.header_timeout);
  const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kNoThrow);
  co_return !error;
}

asio::awaitable<void> Session::refuse() {
  if (options_.certificate != nullptr) co_return stream_.close();  // an answer would cost a handshake
  Error error{AdminErrc::too_many_connections,
              "there are " + std::to_string(options_.max_connections) + " connections already",
              {}};
  Response response = problem_response(error);
  co_await write(response, false, false);
  co_await close();
}

/// False: the connection is to be closed.
asio::awaitable<bool> Session::serve_one() {
  HeaderParser parser;
  parser.header_limit(options_.max_header);
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // known with the route
  const bool readable = co_await read_header(parser);
  if (!readable) co_return false;
  Exchange exchange;
  Response response = co_await handle(parser, exchange);
  const bool keep_alive = exchange.keep_alive && exchange.consumed && !stopping_;
  if (response.follow) {
    following_ = response.follow;
    co_await write_stream(response);
    co_return false;
  }
  co_return co_await write(response, exchange.head_only, keep_alive);
}

asio::awaitable<bool> Session::read_header(HeaderParser& parser) {
  if (buffer_.size() == 0) {
    // Wait for the first byte apart: a quiet connection may stay long, a slow header may not.
    stream_.expires_after(trusted_ ? options_.idle_timeout : options_.header_timeout);
    auto space = buffer_.prepare(4096);
    const auto [error, size] = co_await stream_.async_read_some(space, kNoThrow);
    if (error) co_return false;
    buffer_.commit(size);
  }
  idle_ = false;
  stream_.expires_after(options_.header_timeout);
  // The parser forgets what it has taken: its own limit alone could be passed by in portions.
  beast::error_code error;
  for (std::size_t taken = 0; !error && !parser.is_header_done();) {
    const auto [failed, size] = co_await http::async_read_some(stream_, buffer_, parser, kNoThrow);
    taken += size;
    error = failed;
    if (!error && taken > options_.max_header) error = http::error::header_limit;
  }
  if (!error) co_return true;
  if (!is_gone(error)) {
    const Error refused = read_error(error, options_.max_header);
    Response response = problem_response(refused);
    co_await write(response, false, false);
  }
  co_return false;
}

/// Whether this request may be asked here, and by whom it comes.
Result<void> Session::admit(const HeaderParser& parser, const Result<Match>& match) {
  const auto& message = parser.get();
  const auto field = [&](auto name) -> std::optional<std::string_view> {
    const auto found = message.find(name);
    if (found == message.end()) return std::nullopt;
    return std::string_view(found->value().data(), found->value().size());
  };
  const bool coded = message.count(http::field::transfer_encoding) > 0;
  if (message.count(http::field::host) != (message.version() < 11 && !field(http::field::host) ? 0U : 1U) ||
      (coded && !parser.chunked()))
    return fail(AdminErrc::bad_request, "one Host, and no coding but chunked (RFC 9112)");
  auto asked = check_asker({.host = field(http::field::host),
                            .origin = field(http::field::origin),
                            .fetch_site = field("Sec-Fetch-Site")},
                           place_);
  if (!asked) return asked;
  credentials_ = field(http::field::authorization).value_or("");
  // Which routes there are, whoever may read anything may know.
  needed_ = match ? scope_of(match->route->id) : Scope::read;
  const bool open = match && match->route->open;
  if (open && credentials_.empty()) return {};
  auto authorized = authorize(credentials_, needed_);
  trusted_ |= authorized.has_value();
  return open ? Result<void>() : authorized;
}

Result<void> Session::authorize(std::string_view credentials, Scope needed) const {
  if (authorizes(credentials, options_.token)) return {};
  if (options_.tokens != nullptr) return options_.tokens->check(credentials, needed);
  return fail(AdminErrc::unauthorized,
              "send `Authorization: Bearer TOKEN`; the token is in the file admin-token of the data folder");
}

asio::awaitable<Response> Session::handle(HeaderParser& parser, Exchange& exchange) {
  const auto& message = parser.get();
  exchange.consumed = parser.is_done();
  exchange.keep_alive = message.keep_alive();
  exchange.head_only = message.method() == http::verb::head;
  const std::string_view target(message.target().data(), message.target().size());
  const std::string_view method(message.method_string().data(), message.method_string().size());
  const auto question = target.find('?');
  auto match = table_.match(method, target.substr(0, question));
  const auto admitted = admit(parser, match);
  if (!admitted) {
    const auto& error = admitted.error();
    Response response = problem_response(error);
    if (error.code == AdminErrc::unauthorized)
      response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"mayfly admin\"");
    if (error.code == AdminErrc::bad_request) exchange.keep_alive = false;
    co_return response;
  }
  if (!match) {
    Response response = problem_response(match.error());
    const auto allow = match.error().detail("allow");
    if (!allow.empty()) response.headers.emplace_back("Allow", allow);
    co_return response;
  }
  exchange.route = match->route;
  Request& request = exchange.request;
  request.method = method;
  request.params = std::move(match->params);
  auto query = parse_query(question == std::string_view::npos ? "" : target.substr(question + 1));
  if (!query) co_return problem_response(query.error());
  request.query = std::move(*query);
  for (const auto& field : message)
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  auto read = co_await read_body(parser, exchange);
  if (!read) co_return problem_response(read.error());
  exchange.consumed = true;
  request.client = std::make_shared<Client>();
  const Departure departure(stream_.socket(), request.client);
  try {
    auto answer = co_await exchange.route->handler(request);
    if (!answer) co_return problem_response(answer.error());
    co_return std::move(*answer);
  } catch (const std::exception& failure) {
    const Error error{std::make_error_code(std::errc::state_not_recoverable), failure.what(), {}};
    co_return problem_response(error);
  }
}

asio::awaitable<Result<void>> Session::read_body(HeaderParser& parser, Exchange& exchange) {
  const auto limit = body_limit(exchange.route->body);
  const auto announced = parser.content_length();
  if (announced && *announced > limit) {
    const beast::error_code error = http::error::body_limit;
    co_return std::unexpected(read_error(error, limit));
  }
  parser.body_limit(limit);
  body_began_ = std::chrono::steady_clock::now();
  if (parser.is_done()) co_return Result<void>{};
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    const std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto bytes = asio::buffer(text);
    stream_.expires_after(options_.stall_timeout);
    co_await asio::async_write(stream_, bytes, kNoThrow);
  }
  if (exchange.route->body == BodyKind::upload) co_return co_await read_to_file(parser, exchange);
  co_return co_await read_to_memory(parser, exchange);
}

/// A body may neither stop nor trickle.
void Session::expect_body(std::uint64_t received) {
  const auto latest =
      body_began_ + options_.stall_timeout + std::chrono::seconds(received / options_.slowest);
  stream_.expires_at(std::min(std::chrono::steady_clock::now() + options_.stall_timeout, latest));
}

asio::awaitable<Result<void>> Session::read_to_memory(HeaderParser& header, Exchange& exchange) {
  http::request_parser<http::string_body> parser(std::move(header));
  for (std::uint64_t received = 0; !parser.is_done();) {
    expect_body(received);
    const auto [error, size] = co_await http::async_read_some(stream_, buffer_, parser, kNoThrow);
    received += size;
    if (error) co_return std::unexpected(read_error(error, body_limit(exchange.route->body)));
  }
  exchange.request.body = std::move(parser.get().body());
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Session::read_to_file(HeaderParser& header, Exchange& exchange) {
  auto created = exchange.upload.create(options_.upload_folder);
  if (!created) co_return created;
  exchange.request.upload = exchange.upload.path();
  http::request_parser<http::buffer_body> parser(std::move(header));
  std::vector<char> space(64U << 10U);
  while (!parser.is_done()) {
    parser.get().body().data = space.data();
    parser.get().body().size = space.size();
    expect_body(exchange.request.upload_size);
    auto [error, size] = co_await http::async_read(stream_, buffer_, parser, kNoThrow);
    if (error == http::error::need_buffer) error = {};
    if (error) co_return std::unexpected(read_error(error, body_limit(exchange.route->body)));
    const auto filled = space.size() - parser.get().body().size;
    auto written = exchange.upload.write(space.data(), filled);
    if (!written) co_return written;
    exchange.request.upload_size += filled;
  }
  co_return Result<void>{};
}

asio::awaitable<bool> Session::write(Response& response, bool head_only, bool keep_alive) {
  http::response<http::string_body> message(static_cast<http::status>(response.status), 11);
  for (const auto& [name, value] : response.headers) message.insert(name, value);
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) {
    if (!response.content_type.empty()) message.set(http::field::content_type, response.content_type);
    message.content_length(response.body.size());
    if (!head_only) message.body() = std::move(response.body);
  }
  message.set(http::field::cache_control, "no-store");
  message.keep_alive(keep_alive);
  stream_.expires_after(options_.stall_timeout);
  // A serializer of its own: async_write of the message alone would refuse HEAD's missing body.
  http::response_serializer<http::string_body> serializer(message);
  const auto [error, size] = co_await http::async_write(stream_, serializer, kNoThrow);
  co_return !error && keep_alive;
}

asio::awaitable<void> Session::write_stream(Response& response) {
  http::response<http::empty_body> head(static_cast<http::status>(response.status), 11);
  head.set(http::field::content_type, response.content_type);
  head.set(http::field::cache_control, "no-store");
  head.keep_alive(false);
  head.chunked(true);
  http::response_serializer<http::empty_body> serializer(head);
  stream_.expires_after(options_.stall_timeout);
  auto [error, size] = co_await http::async_write_header(stream_, serializer, kNoThrow);
  if (error) co_return;
  // A client that leaves ends the read, and that ends the queue: lines may never come. The operation ends
  // with the socket; it owns what it uses.
  auto scratch = std::make_shared<std::array<char, 1>>();
  const auto queue = response.follow;
  if (stream_.encrypted())
    stream_.socket().async_wait(asio::ip::tcp::socket::wait_read,
                                [queue](beast::error_code) { queue->close(); });
  else
    stream_.socket().async_read_some(asio::buffer(*scratch),
                                     [scratch, queue](beast::error_code, std::size_t) { queue->close(); });
  std::string text = std::move(response.body);
  bool closed = false;
  for (;;) {
    if (!text.empty()) {
      const auto chunk = http::make_chunk(asio::buffer(text));
      stream_.expires_after(options_.stall_timeout);
      const auto [failed, count] = co_await asio::async_write(stream_, chunk, kNoThrow);
      if (failed) break;
    }
    if (closed) break;
    LogQueue::Batch batch = co_await queue->next(options_.log_heartbeat);
    if (!authorize(credentials_, needed_)) break;  // the token was revoked meanwhile
    closed = batch.closed;
    text.clear();
    for (const auto& line : batch.lines) text.append(line).append("\n");
    if (batch.dropped > 0) text.append("{\"dropped\":" + std::to_string(batch.dropped) + "}\n");
    if (text.empty() && !closed) text = "\n";
  }
  queue->close();
  const auto last = http::make_chunk_last();
  stream_.expires_after(options_.stall_timeout);
  co_await asio::async_write(stream_, last, kNoThrow);
}

/// Sends what was written before the end, also when the client still sends: a close with unread bytes would
/// reset the connection and the answer (401, 413) would be lost on its way.
asio::awaitable<void> Session::close() {
  beast::error_code ignored;
  if (stream_.encrypted()) {  // a client can tell from it that nothing was cut off
    stream_.expires_after(std::chrono::seconds(2));
    co_await stream_.async_shutdown(kNoThrow);
  }
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  std::vector<char> scratch(16U << 10U);
  const auto space = asio::buffer(scratch);
  stream_.expires_after(std::chrono::seconds(2));
  for (;;) {
    const auto [error, size] = co_await stream_.async_read_some(space, kNoThrow);
    if (error) break;
  }
  stream_.close();
}

}  // namespace mayfly::admin
