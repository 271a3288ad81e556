// What is special about the queues whose deliveries are parts of something larger: a pipeline's runs.
#pragma once

#include "events/event.h"
#include "events/policy.h"

namespace mayfly::events {

/// Shared by the queues that have it; called on their thread.
class QueueRole {
 public:
  virtual ~QueueRole() = default;
  /// How an event is attempted; `queue` is what its queue would do. What counts of it is attempts, backoff
  /// and ages; concurrency, batches and order are the queue's.
  [[nodiscard]] virtual Policy policy(const Event& event, const Policy& queue) const = 0;
  /// What is to be decided in one transaction with the end of a delivery.
  [[nodiscard]] virtual Decision decision(const EventPtr& event, const DeliveryId& id,
                                          const Outcome& end) const = 0;
};

}  // namespace mayfly::events
