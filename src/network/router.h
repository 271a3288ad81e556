// The router: a network namespace of the daemon's, into which every function's leads and out of which the
// uplink leads.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "network/allow_rule.h"

namespace mayfly::network {

/// A namespace for one function's processes, linked to the router and to nothing else.
struct Link {
  int slot = 0;
  Fd ns;
};

/// One thread; whatever namespace that is in. Goes with its last descriptor; so do the namespaces of
/// functions with theirs and their last process.
class Router {
 public:
  /// Errors: missing_tool; refused, with the step that was.
  [[nodiscard]] static Result<Router> make();

  [[nodiscard]] int ns() const { return ns_.get(); }

  /// New links, all or none; a function in one has its way out at once. Takes some milliseconds for each.
  /// Errors: refused; too_many, if all addresses are taken.
  [[nodiscard]] Result<std::vector<Link>> add(std::size_t count);
  /// Opens what is listed to the function at `slot`.
  [[nodiscard]] Result<void> allow(int slot, const AllowList& list);
  /// Cuts these off; their processes may still be there, and have no network then. An address comes back into
  /// use only after all others: what answers its last connections reaches nobody.
  void remove(std::span<const int> slots);
  /// Addresses of the host, which are not reached through the uplink unless a rule names a service there.
  [[nodiscard]] Result<void> set_own_addresses(std::span<const std::string> ranges);

 private:
  Router() : taken_(kSlots), allowed_(kSlots) {}
  static constexpr std::size_t kSlots = 65'536;

  [[nodiscard]] int next_slot();
  [[nodiscard]] Result<Fd> make_link(int slot) const;
  [[nodiscard]] Result<void> connect(std::span<const Link> made) const;
  [[nodiscard]] Result<void> rules(std::string_view doing, const std::string& text) const;
  /// Commands of ip(8); all of them, also when one fails.
  [[nodiscard]] Result<void> links(std::string_view doing, const std::string& commands) const;

  std::string ip_;
  std::string nft_;
  Fd ns_;
  std::vector<bool> taken_;    // by slot
  std::vector<bool> allowed_;  // by slot: it has rules of its own
  int last_slot_ = 0;
};

}  // namespace mayfly::network
