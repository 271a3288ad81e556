// A small HTTP/1.1 server for one program on this machine: no TLS, few connections, no hurry.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"
#include "exec/loop.h"

namespace mayfly::exec {

/// A request as far as it has come. Fields in the form of the wire, names in lower case.
struct HttpRequest {
  std::string method;
  std::string target;
  std::string fields;
  std::string trailers;
  std::string body;

  [[nodiscard]] std::string_view field(std::string_view name) const;
  [[nodiscard]] std::string_view trailer(std::string_view name) const;
};

class HttpConnection;

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  /// The header is there. True: the body is given in parts, by on_body.
  virtual bool on_header(HttpConnection& connection, const HttpRequest& request) = 0;
  /// False: no more until HttpConnection::resume().
  virtual bool on_body(HttpConnection& connection, std::string_view part) = 0;
  /// The request is complete. Answer it now or later.
  virtual void on_request(HttpConnection& connection, const HttpRequest& request) = 0;
  /// The peer has left; the connection ends with this turn of the loop.
  virtual void on_closed(HttpConnection& connection) = 0;
};

class HttpConnection {
 public:
  HttpConnection(Loop& loop, HttpHandler& handler, Fd socket, std::size_t body_limit,
                 std::function<void(HttpConnection&)> ended);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection();

  /// Answers the request that was given last. fields: "Name: value\r\n…", without content-length.
  void answer(unsigned status, std::string_view fields, std::string_view body);
  /// After on_body said false.
  void resume();
  /// The body was longer than the limit: what is in the request is not all of it.
  [[nodiscard]] bool body_too_long() const { return too_long_; }

 private:
  class Parser;

  void ready();
  void read();
  void parse();
  [[nodiscard]] bool after_header();
  void flush();
  void close();
  void reset();

  HttpHandler& handler_;
  std::function<void(HttpConnection&)> ended_;
  Watch watch_;
  std::size_t body_limit_;
  HttpRequest request_;
  std::unique_ptr<Parser> parser_;
  std::string in_;
  std::string out_;
  bool header_given_ = false;
  bool streams_ = false;
  bool paused_ = false;
  bool given_ = false;  // the request is with the handler
  bool too_long_ = false;
  bool last_ = false;  // closed after this answer
  bool parsing_ = false;
};

class HttpServer {
 public:
  HttpServer(Loop& loop, HttpHandler& handler, std::size_t body_limit)
      : loop_(loop), handler_(handler), body_limit_(body_limit), listener_(loop.reactor()) {}
  ~HttpServer();

  /// Listens on an IPv4 address; returns the port that the kernel chose.
  [[nodiscard]] Result<std::uint16_t> listen(const std::string& address);

 private:
  void accept();

  Loop& loop_;
  HttpHandler& handler_;
  std::size_t body_limit_;
  Watch listener_;
  std::unordered_set<std::unique_ptr<HttpConnection>> connections_;
};

}  // namespace mayfly::exec
