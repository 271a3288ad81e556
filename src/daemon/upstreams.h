// Services that are not functions: HTTP servers elsewhere, which requests go to as if they were functions.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/deadline_wheel.h"
#include "outbound/client.h"
#include "pool/invocation.h"
#include "pool/pool.h"

namespace mayfly::daemon {

/// One for each shard, and of its thread. Takes invocations for any version whose configuration has an
/// `upstream`: the invocation's chain says which. Bodies stream both ways; what may be under way of each is
/// bounded by its credit, as everywhere.
///
/// Errors: those of outbound/ (unreachable, broken, …); timed_out when the deadline passed.
class Upstreams final : public pool::Service, private pool::Runner {
 public:
  /// What became of the requests to one, since the start.
  struct Outcomes {
    std::uint64_t answered = 0, failed = 0, timed_out = 0, cancelled = 0;
  };
  /// The wheel and the logs outlive it. A client of null: none is asked (stopped). The client's thread ends
  /// before the executor's loop goes.
  Upstreams(boost::asio::any_io_executor executor, DeadlineWheel& deadlines, outbound::Client* client,
            pool::LogSink& logs);
  ~Upstreams() override;

  void submit(pool::Invocation& invocation) override;
  void cancel(pool::Invocation& invocation) override;
  [[nodiscard]] Outcomes outcomes(const std::string& name) const;
  /// It is deleted.
  void forget_outcomes(const std::string& name) { outcomes_.erase(name); }
  [[nodiscard]] std::size_t open() const { return open_.size(); }

 private:
  class Exchange;

  void send_body(pool::Invocation& invocation, std::string_view bytes, bool end) override;
  void credit(pool::Invocation& invocation, std::size_t bytes) override;
  void abandon(pool::Invocation& invocation, wire::AbortReason reason) override;
  [[nodiscard]] Exchange* find(const pool::Invocation& invocation);
  void forget(std::uint32_t key);

  boost::asio::any_io_executor executor_;
  DeadlineWheel& deadlines_;
  outbound::Client* client_;
  pool::LogSink& logs_;
  std::unordered_map<std::string, Outcomes> outcomes_;
  std::uint32_t last_key_ = 0;
  std::unordered_map<std::uint32_t, std::shared_ptr<Exchange>> open_;
};

}  // namespace mayfly::daemon
