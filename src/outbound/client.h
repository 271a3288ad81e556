// Requests of the daemon to other servers: many at once, on one thread, with bodies that stream both ways.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "outbound/address_rules.h"

namespace mayfly::outbound {

struct Request {
  std::string method = "GET";
  std::string url{};
  std::string fields{};  ///< "name\0value\0…"
  std::string body{};    ///< what there is of it
  bool body_complete = true;
  std::optional<std::uint64_t> length{};  ///< of the whole body, if that is known
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{30'000};  ///< of the whole; more than 0
};

/// Hears what becomes of a request, on the client's thread; must not wait.
class Listener {
 public:
  virtual ~Listener() = default;
  /// `fields` as they came, names in lower case.
  virtual void on_head(unsigned status, std::string fields) = 0;
  /// Of kWindow bytes that were not taken (Client::take) no more come. False: no more is wanted, and the end
  /// is that it was broken off.
  virtual bool on_body(std::string_view bytes) = 0;
  /// So much of the request's body is on its way: as much more may be sent.
  virtual void on_sent(std::size_t bytes) = 0;
  /// The last word: the answer is complete, or there is none, or no rest of it.
  virtual void on_end(Result<void> result) = 0;
};

struct ClientOptions {
  /// Which addresses it connects to, whatever name or redirection led there; null: any. Outlives the client.
  const AddressRules* rules = nullptr;
  std::size_t most = 1'000;             ///< requests under way; one more is refused (busy)
  std::size_t most_of_host = SIZE_MAX;  ///< to one host and port: a slow one does not take all of them
};

/// Thread-safe. Connections are kept for the next request to the same host. One that turns out to be closed
/// before an answer comes is replaced and the request sent again, if its method is idempotent, or nothing of
/// it was sent, and all of its body is there still. It goes to no proxy, whatever the environment says: the
/// address that is checked is the one that is asked.
class Client {
 public:
  using Id = std::uint64_t;
  static constexpr std::size_t kWindow = 256U << 10U;

  explicit Client(const ClientOptions& options);
  /// Ends what is under way (stopped).
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Id start(Request request, std::shared_ptr<Listener> listener);
  void send(Id id, std::string bytes, bool end);
  void take(Id id, std::size_t bytes);
  /// The listener hears nothing any more, but for what is being told just now.
  void cancel(Id id);

 private:
  class Exchange;
  class Loop;
  struct Command;

  const ClientOptions options_;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace mayfly::outbound
