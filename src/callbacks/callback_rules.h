// Which callbacks are accepted, and what the end of a delivery makes of them.
#pragma once

#include "events/callbacks.h"
#include "outbound/address_rules.h"

namespace mayfly::callbacks {

/// Tried for most of a day: 10 s, 20 s, 40 s, … up to 6 hours between two attempts. A server is
/// a partition, and has 32 of the 128 attempts under way at most: a slow one holds up no other.
[[nodiscard]] events::Policy callback_policy();

class CallbackRules final : public events::CallbackRules {
 public:
  /// The addresses outlive it.
  explicit CallbackRules(const outbound::AddressRules& addresses) : addresses_(addresses) {}

  [[nodiscard]] Result<void> check(const std::string& url) const override;
  [[nodiscard]] events::Decision decision(const std::string& function, const events::EventPtr& event,
                                          const events::DeliveryId& id,
                                          const events::Outcome& end) const override;

 private:
  const outbound::AddressRules& addresses_;
};

}  // namespace mayfly::callbacks
