// One client connection to the data plane: requests in, answers out, one after the other.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/deadline_wheel.h"
#include "base/fd.h"
#include "base/reactor.h"
#include "gateway/error.h"
#include "gateway/refusals.h"
#include "gateway/request_parser.h"
#include "gateway/response_head.h"
#include "gateway/transport.h"
#include "pool/invocation.h"

namespace mayfly::gateway {

struct GatewayOptions {
  std::uint32_t max_header = 32U << 10U;  ///< bytes of request line and fields
  std::size_t max_connections = 20'000;   ///< per shard; one more is answered 503
  /// From a request's first byte to its header's end; and for a handshake of TLS.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds idle_timeout{
      75'000};  ///< between two requests, or without taking any of an answer
};

/// Where a request goes.
struct Destination {
  pool::Service* service = nullptr;      ///< null: the function lives on `shard`
  std::shared_ptr<pool::Service> own{};  ///< keeps `service`, if it is of this request alone
  unsigned shard = 0;
  std::chrono::milliseconds timeout{};
  std::uint64_t max_request = 0;
  std::string_view max_request_name = "max_request";  ///< whose limit that is; empty: Mayfly's own. A literal
  std::string_view target;                            ///< as the function sees it; into the request's target
  std::string_view prefix;
  std::string answer_fields{};  ///< "name\0value\0…" of ours for the answer
  pool::Chain chain{};          ///< of what the function is wrapped by
  pool::DeadlineOwner deadline_owner{};
  std::shared_ptr<Refusals> refusals{};  ///< of the function; null: they are not counted
};

/// A connection on its way to another shard: what was read of it and not used yet goes along.
struct MovedConnection {
  Transport socket;
  std::string bytes{};
};

/// What a session needs of its shard. Outlives the sessions.
///
/// ended() is a session's last call. It comes from inside the session, so the host destroys it later.
class GatewayHost {
 public:
  virtual ~GatewayHost() = default;
  /// May take what is not for the function off the headers, and add what is, once the destination is this
  /// shard. Details of an error that are fields of an answer (session.cpp: kErrorFields) are sent as such.
  [[nodiscard]] virtual Result<Destination> route(RequestHead& head) = 0;
  virtual void move(unsigned shard, MovedConnection connection) = 0;
  virtual void new_invocation_id(std::array<char, 32>& id) = 0;
  virtual void ended(class Session& session) = 0;
  [[nodiscard]] virtual bool draining() const = 0;
};

/// Belongs to one shard's thread, and to its host until it says that it has ended.
///
/// It keeps reading while an answer is awaited, so that a client that leaves is noticed; bytes of
/// following requests (pipelining) wait in the buffer, whose bound is the back-pressure.
class Session final : private pool::InvocationListener, private DeadlineEntry, private ReactorEntry {
 public:
  Session(Transport socket, GatewayHost& host, Reactor& reactor, DeadlineWheel& deadlines,
          const GatewayOptions& options);
  ~Session() override;

  /// Begin, with bytes that came along from another shard.
  void start(std::string bytes);
  /// Answer 503 to whatever comes first.
  void refuse();
  /// Close as soon as no request is being handled.
  void drain();
  /// Close now.
  void close();

 private:
  enum class State { handshake, idle, header, exchange, lingering, closed };

  // pool::InvocationListener
  void on_response(pool::Invocation&, unsigned status, std::string_view headers, std::string_view body,
                   bool end) override;
  void on_body(pool::Invocation&, std::string_view body, bool end) override;
  void on_request_credit(pool::Invocation&, std::size_t bytes) override;
  void on_failure(pool::Invocation&, Error error) override;
  void on_deadline() override;
  void on_ready(std::uint32_t events) override;

  void shake_hands();
  void read();
  [[nodiscard]] bool receive(std::size_t room);
  void watch();
  void process();
  [[nodiscard]] std::size_t largest_buffer() const;
  void skip_empty_lines();
  bool parse_header();
  void refuse_header(const boost::beast::error_code& error);
  void begin_exchange();
  void fill_invocation(const Destination& destination);
  void feed_request_body();
  void refuse_body(const boost::beast::error_code& error);

  void answer_error(const Error& error);
  void refuse_too_large();
  void append_body(std::string_view body);
  void end_answer();
  void next_request();
  void linger();
  void close_politely();
  void write();
  void written();
  void set_deadline(MonotonicTime when);
  [[nodiscard]] ResponseFacts facts(unsigned status, std::string_view headers) const;

  Transport socket_;
  GatewayHost& host_;
  Reactor& reactor_;
  DeadlineWheel& deadlines_;
  const GatewayOptions& options_;
  std::string remote_;
  State state_ = State::idle;
  MonotonicTime deadline_{};

  // Reading
  std::string in_;  // [begin_, end_) is not used yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  MonotonicTime received_{};  // when the last of it came
  bool processing_ = false;

  // The request under way
  RequestHead head_;
  std::string body_;  // parsed and not passed on yet
  std::optional<RequestParser> parser_;
  std::size_t header_bytes_ = 0;  // of the header, taken by the parser
  pool::Invocation invocation_{*this};
  std::string rooted_target_;
  std::string answer_fields_;
  pool::Service* service_ = nullptr;
  std::shared_ptr<pool::Service> own_service_;
  std::uint64_t max_request_ = 0;
  std::string_view max_request_name_;
  std::shared_ptr<Refusals> refusals_;
  std::uint64_t request_bytes_ = 0;
  std::size_t window_ = 0;  // bytes of the request's body that may still be passed on
  bool request_done_ = false;
  bool keep_alive_ = true;

  // The answer under way
  std::string out_;
  bool writing_ = false;  // the kernel takes no more at the moment
  bool stalled_ = false;  // it took nothing since the deadline was last looked at
  bool head_sent_ = false;
  bool answer_done_ = false;
  Framing framing_ = Framing::none;
  std::uint64_t length_left_ = 0;
  std::size_t credit_due_ = 0;  // bytes of the answer that the handler may send again once written
  bool draining_ = false;
};

}  // namespace mayfly::gateway
