#include "network/router.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "network/addresses.h"
#include "network/namespace.h"
#include "network/rules.h"
#include "network/tool.h"

namespace mayfly::network {
namespace {

constexpr int kPeer = 3;  ///< the descriptor at which `ip` finds the namespace of a link's other end
constexpr std::string_view kMtu = "65520";  ///< large packets: the uplink's price is paid for each

Result<void> write_setting(const std::string& path, std::string_view value) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno("open " + path);
  if (::write(file.get(), value.data(), value.size()) < 0) return fail_errno("write " + path);
  return {};
}

/// The function's side. Without a link-local address there is no IPv6 on it, and no one inside may add one.
std::string link_commands(int slot) {
  const auto peer = "/proc/self/fd/" + std::to_string(kPeer);
  const std::string mtu(kMtu);
  const std::string router(kRouter);
  return "link set lo up\n"
         "link add eth0 mtu " +
         mtu + " type veth peer name " + link_name(slot) + " mtu " + mtu + " netns " + peer +
         "\nlink set eth0 addrgenmode none up\n"
         "addr add " +
         function_address(slot) +
         "/32 dev eth0\n"
         "route add " +
         router +
         " dev eth0 scope link\n"
         "route add default via " +
         router + " dev eth0\n";
}

Error refused(const char* doing, const Error& why) {
  auto message = std::string(doing) + ": " + why.message;
  if (why.code.value() == EPERM && why.code.category() != make_error_code(NetworkErrc::refused).category())
    message += "; it needs root, or user namespaces (mayfly doctor)";
  return {NetworkErrc::refused, std::move(message), {}};
}

Result<void> set_up() {
  // What is refused is refused at once: the usual rate of ICMP is a budget of the whole host, and soon spent.
  for (const auto& [setting, value] : {std::pair{"icmp_ratemask", "0"}, std::pair{"ip_forward", "1"}})
    if (auto done = write_setting(std::string("/proc/sys/net/ipv4/") + setting, value); !done) return done;
  return {};
}

}  // namespace

Result<Router> Router::make() {
  Router router;
  auto ip = find_tool("ip");
  if (!ip) return propagate(ip);
  auto nft = find_tool("nft");
  if (!nft) return propagate(nft);
  router.ip_ = std::move(*ip);
  router.nft_ = std::move(*nft);
  auto ns = new_namespace();
  if (!ns) return std::unexpected(refused("the router", ns.error()));
  router.ns_ = std::move(*ns);
  // Before anything is forwarded.
  if (auto done = router.rules("the router's rules", router_rules()); !done) return propagate(done);
  if (auto done = inside(router.ns(), set_up); !done)
    return std::unexpected(refused("the router", done.error()));
  const auto commands = "link set lo up\naddr add " + std::string(kRouter) + "/32 dev lo\n";
  if (auto done = router.links("the router's address", commands); !done) return propagate(done);
  return router;
}

Result<void> Router::rules(std::string_view doing, const std::string& text) const {
  return inside(ns(), [&]() -> Result<void> {
    auto done = run_tool(doing, {nft_, "-f", "-"}, text);
    if (!done) return propagate(done);
    return {};
  });
}

Result<void> Router::links(std::string_view doing, const std::string& commands) const {
  return inside(ns(), [&]() -> Result<void> {
    auto done = run_tool(doing, {ip_, "-force", "-batch", "-"}, commands);
    if (!done) return propagate(done);
    return {};
  });
}

int Router::next_slot() {
  for (int tries = 0; tries < kLastSlot; ++tries) {
    last_slot_ = last_slot_ % kLastSlot + 1;
    if (!taken_[static_cast<std::size_t>(last_slot_)]) return last_slot_;
  }
  return 0;
}

Result<Fd> Router::make_link(int slot) const {
  auto made = new_namespace();
  if (!made) return made;
  auto done = inside(made->get(), [&]() -> Result<void> {
    auto linked =
        run_tool("the link of a function", {ip_, "-batch", "-"}, link_commands(slot), {{ns(), kPeer}});
    if (!linked) return propagate(linked);
    return {};
  });
  if (!done) return propagate(done);
  return made;
}

Result<void> Router::connect(std::span<const Link> made) const {
  std::string commands;
  std::string admitted;
  for (const auto& link : made) {
    const auto name = link_name(link.slot);
    commands += "link set " + name + " addrgenmode none up\n";
    commands += "route add " + function_address(link.slot) + " dev " + name + " scope link\n";
    admitted += admit_rules(link.slot);
  }
  if (auto done = links("links of functions", commands); !done) return done;
  if (auto done = rules("the rules of functions", admitted); !done) return done;
  for (const auto& link : made)
    if (auto done = inside(link.ns.get(), [] { return wait_until_up("eth0"); }); !done) return done;
  return {};
}

Result<std::vector<Link>> Router::add(std::size_t count) {
  std::vector<Link> made;
  Result<void> done;
  while (done && made.size() < count) {
    const int slot = next_slot();
    if (slot == 0) return fail(NetworkErrc::too_many, "all addresses for functions are taken");
    auto ns = make_link(slot);
    if (ns)
      made.push_back({slot, std::move(*ns)});
    else
      done = propagate(ns);
  }
  if (done) done = connect(made);
  if (!done) return propagate(done);
  for (const auto& link : made) taken_[static_cast<std::size_t>(link.slot)] = true;
  return made;
}

Result<void> Router::allow(int slot, const AllowList& list) {
  auto done = rules("network_allow of a function", allow_rules(slot, list));
  if (done) allowed_[static_cast<std::size_t>(slot)] = true;
  return done;
}

void Router::remove(std::span<const int> slots) {
  std::string commands;
  std::string dismissed;
  for (const int slot : slots) {
    const auto index = static_cast<std::size_t>(slot);
    commands += "link delete " + link_name(slot) + "\n";
    dismissed += dismiss_rules(slot, allowed_[index]);
    taken_[index] = false;
    allowed_[index] = false;
  }
  // A link is gone already where the last of its namespace went first.
  (void)links("remove links", commands);
  (void)rules("remove rules", dismissed);
}

Result<void> Router::set_own_addresses(std::span<const std::string> ranges) {
  return rules("the host's addresses", own_address_rules(ranges));
}

}  // namespace mayfly::network
