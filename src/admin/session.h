// One connection to the admin plane. Included by server.cpp and session.cpp only: it is heavy.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <memory>

#include "admin/asker.h"
#include "admin/route.h"
#include "admin/server.h"
#include "tls/stream.h"

namespace mayfly::admin {

class Session {
 public:
  /// `options` and `table` outlive it.
  Session(boost::asio::ip::tcp::socket socket, const ServerOptions& options, const RouteTable& table);

  /// Serves requests until the client leaves, a limit is broken or stop() was called. Never throws.
  boost::asio::awaitable<void> run();
  /// Answers 503 to whatever comes first.
  boost::asio::awaitable<void> refuse();
  /// Let the request that is being handled end, then close.
  void stop();
  /// Close now.
  void abort();
  /// A token came with a request of this connection, and was good for it.
  [[nodiscard]] bool is_trusted() const { return trusted_; }

 private:
  using HeaderParser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  struct Exchange;

  boost::asio::awaitable<bool> shake_hands();
  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<bool> read_header(HeaderParser& parser);
  Result<void> admit(const HeaderParser& parser, const Result<Match>& match);
  [[nodiscard]] Result<void> authorize(std::string_view credentials, Scope needed) const;
  boost::asio::awaitable<Result<void>> read_body(HeaderParser& parser, Exchange& exchange);
  boost::asio::awaitable<Result<void>> read_to_memory(HeaderParser& parser, Exchange& exchange);
  boost::asio::awaitable<Result<void>> read_to_file(HeaderParser& parser, Exchange& exchange);
  boost::asio::awaitable<Response> handle(HeaderParser& parser, Exchange& exchange);
  boost::asio::awaitable<bool> write(Response& response, bool head_only, bool keep_alive);
  boost::asio::awaitable<void> write_stream(Response& response);
  boost::asio::awaitable<void> close();
  void expect_body(std::uint64_t received);

  tls::Stream stream_;
  boost::beast::flat_buffer buffer_;
  const ServerOptions& options_;
  const RouteTable& table_;
  Place place_;
  std::chrono::steady_clock::time_point body_began_{};
  std::shared_ptr<LogQueue> following_;
  std::string credentials_;     // of the request that is being handled
  Scope needed_ = Scope::read;  // what the request under way needs
  bool idle_ = true;            // between two requests
  bool trusted_ = false;        // a token was accepted on this connection
  bool stopping_ = false;
};

}  // namespace mayfly::admin
