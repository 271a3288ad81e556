// Networks of functions with `network = "outbound"`: each a namespace of its own with a way out to the
// internet, and to nothing of the host, of other functions or of private networks. README.md has the picture.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "network/allow_rule.h"

namespace mayfly::network {

class Shared;

/// A network namespace for the processes of one template. Move-only; its end cuts the namespace off, so keep
/// it until they have ended. May outlive Networks.
class OutboundNetwork {
 public:
  OutboundNetwork(Fd ns, int slot, std::shared_ptr<Shared> shared);
  OutboundNetwork(OutboundNetwork&&) noexcept = default;
  OutboundNetwork& operator=(OutboundNetwork&& other) noexcept;
  OutboundNetwork(const OutboundNetwork&) = delete;
  OutboundNetwork& operator=(const OutboundNetwork&) = delete;
  ~OutboundNetwork();

  /// For setns(2). Everything in it is set up: whoever enters needs no rights, and should have none.
  [[nodiscard]] int ns() const { return ns_.get(); }
  /// What /etc/resolv.conf has to say inside.
  [[nodiscard]] static std::string resolv_conf();

 private:
  Fd ns_;
  int slot_ = 0;
  std::shared_ptr<Shared> shared_;
};

/// Makes them, on a thread of its own: a few ahead, so that taking one costs nothing. All of them, and all
/// processes that serve them, end with this, and with the daemon however it ends. take() and unavailable():
/// any thread.
class Networks {
 public:
  using Taken = std::function<void(Result<OutboundNetwork>)>;
  /// `stock`: how many are kept ready, 0…64. Where none can be made, who asks for one `look_again` after the
  /// last attempt makes another: what lacks may have been installed.
  explicit Networks(std::size_t stock = kStock, milliseconds look_again = kLookAgain);
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;
  ~Networks() { stop(); }

  /// Whoever still waits gets `stopped`, and everyone who asks later; those that were taken lose their way
  /// out. When this returns, no `done` is being called and none will be by the thread of this. One caller at
  /// a time.
  void stop();

  /// `done` is called once: at once and by the caller when one is ready and `allow` is empty; otherwise by
  /// the thread of this, after some milliseconds. It must not block.
  void take(AllowList allow, Taken done);
  /// Why there are none; empty if there are, or if that is not known yet.
  [[nodiscard]] std::string unavailable() const;

  static constexpr std::size_t kStock = 4;
  static constexpr milliseconds kLookAgain{5000};

 private:
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace mayfly::network
