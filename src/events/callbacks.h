// What queues need to know of callbacks: the result of a delivery, for a URL.
#pragma once

#include <string>

#include "events/event.h"
#include "events/policy.h"

namespace mayfly::events {

/// The stream of callbacks, and its only queue.
inline constexpr const char* kCallbackQueue = "callbacks";
/// The document that names the callback of a delivery: its id.
[[nodiscard]] std::string callback_key(DeliveryId id);

/// Thread-safe.
class CallbackRules {
 public:
  virtual ~CallbackRules() = default;
  /// Whether a result may be sent there; the error says why not.
  [[nodiscard]] virtual Result<void> check(const std::string& url) const = 0;
  /// Has the callback accepted, in one transaction with the end of a delivery to this function. Quick.
  [[nodiscard]] virtual Decision decision(const std::string& function, const EventPtr& event,
                                          const DeliveryId& id, const Outcome& end) const = 0;
};

}  // namespace mayfly::events
