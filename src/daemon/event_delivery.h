// How events come to functions: each attempt is an invocation on the function's shard.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/event_payload.h"
#include "daemon/shard.h"
#include "events/deliverer.h"

namespace mayfly::daemon {

/// deliver() belongs to the engine's thread; set_form() is called from any.
class EventDelivery final : public events::Deliverer {
 public:
  /// The shards outlive it.
  explicit EventDelivery(std::vector<std::unique_ptr<Shard>>& shards) : shards_(shards) {}

  /// Who brings callbacks to their URLs; before the first delivery.
  void set_callbacks(events::Deliverer& callbacks) { callbacks_ = &callbacks; }
  /// Where `then` is called; before the first delivery.
  void set_executor(boost::asio::any_io_executor executor) { executor_ = std::move(executor); }
  /// In which form a function gets events.
  void set_form(const std::string& function, EventForm form);

  std::shared_ptr<events::Attempting> deliver(
      events::Task task, std::function<void(std::vector<events::Verdict>)> then) override;

 private:
  [[nodiscard]] EventForm form_of(const std::string& function) const;

  std::vector<std::unique_ptr<Shard>>& shards_;
  events::Deliverer* callbacks_ = nullptr;
  boost::asio::any_io_executor executor_;
  mutable std::mutex mutex_;
  std::map<std::string, EventForm> forms_;
};

}  // namespace mayfly::daemon
