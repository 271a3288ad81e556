// The thread that makes networks.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "network/host_addresses.h"
#include "network/router.h"
#include "network/shared.h"
#include "network/uplink.h"

namespace mayfly::network {

/// Lives on one thread, which is and stays in the host's network: the uplink is started there.
class Maker {
 public:
  Maker(std::shared_ptr<Shared> shared, std::size_t stock, milliseconds look_again)
      : shared_(std::move(shared)), wanted_(stock), look_again_(look_again) {}

  /// Until Shared::stop().
  void run();

 private:
  [[nodiscard]] bool make_router();
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] bool wait_for_need() const;
  /// False: this ends.
  [[nodiscard]] bool turn();
  void wait(bool stock_is_short) const;
  void serve(std::vector<Shared::Request> requests, std::vector<Link> links);
  void serve_one(const Shared::Request& request, Link link);
  void refill(std::size_t ready);
  void follow_host();
  void follow_uplink();
  [[nodiscard]] Result<void> set_own_addresses();
  [[nodiscard]] Result<void> start_uplink();

  std::shared_ptr<Shared> shared_;
  std::size_t wanted_;
  milliseconds look_again_;
  std::optional<HostAddresses> addresses_;
  std::optional<Router> router_;
  std::vector<std::string> own_;  // the host's addresses, as the rules have them
  std::optional<Uplink> uplink_;
  MonotonicTime refill_at_ = MonotonicTime::min();   // not before
  MonotonicTime refresh_at_ = MonotonicTime::max();  // the host may have other addresses than the rules
  MonotonicTime uplink_since_{};
  MonotonicTime restart_at_ = MonotonicTime::max();  // there is no uplink
  milliseconds restart_pause_{0};
};

}  // namespace mayfly::network
