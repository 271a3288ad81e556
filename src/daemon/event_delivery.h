// How events come to functions: each attempt is an invocation on the function's shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "daemon/shard.h"
#include "events/deliverer.h"

namespace mayfly::daemon {

/// Belongs to the engine's thread.
class EventDelivery final : public events::Deliverer {
 public:
  /// The shards outlive it.
  explicit EventDelivery(std::vector<std::unique_ptr<Shard>>& shards) : shards_(shards) {}

  /// Who brings callbacks to their URLs; before the first delivery.
  void set_callbacks(events::Deliverer& callbacks) { callbacks_ = &callbacks; }
  /// Where `then` is called; before the first delivery.
  void set_executor(boost::asio::any_io_executor executor) { executor_ = std::move(executor); }

  std::shared_ptr<events::Attempting> deliver(
      events::Task task, std::function<void(std::vector<events::Verdict>)> then) override;

 private:
  std::vector<std::unique_ptr<Shard>>& shards_;
  events::Deliverer* callbacks_ = nullptr;
  boost::asio::any_io_executor executor_;
};

}  // namespace mayfly::daemon
