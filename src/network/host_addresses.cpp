#include "network/host_addresses.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "network/tool.h"

namespace mayfly::network {
namespace {

/// Whether a batch of route messages speaks of a local route; every address of the host has one.
bool names_local_route(std::byte* data, std::size_t size) {
  auto length = static_cast<unsigned>(size);
  for (auto* head = reinterpret_cast<nlmsghdr*>(data); NLMSG_OK(head, length);
       head = NLMSG_NEXT(head, length)) {
    if (head->nlmsg_type != RTM_NEWROUTE && head->nlmsg_type != RTM_DELROUTE) continue;
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) continue;
    if (static_cast<const rtmsg*>(NLMSG_DATA(head))->rtm_type == RTN_LOCAL) return true;
  }
  return false;
}

}  // namespace

Result<HostAddresses> HostAddresses::open() {
  HostAddresses addresses;
  auto ip = find_tool("ip");
  if (!ip) return propagate(ip);
  addresses.ip_ = std::move(*ip);
  addresses.socket_ = Fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!addresses.socket_) return fail_errno("open a netlink socket");
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups = RTMGRP_IPV4_ROUTE;
  if (::bind(addresses.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return fail_errno("listen for routes");
  return addresses;
}

bool HostAddresses::changed() {
  constexpr int kReads = 64;  // a host that changes for ever must not hold this thread
  alignas(nlmsghdr) std::array<std::byte, 32'768> buffer;
  bool found = false;
  for (int reads = 0; reads < kReads; ++reads) {
    const auto got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) found = true;  // more was reported than the socket holds
    if (got <= 0) return found;
    found = names_local_route(buffer.data(), static_cast<std::size_t>(got)) || found;
  }
  return true;
}

Result<std::vector<std::string>> HostAddresses::list() const {
  auto text = run_tool("the host's addresses",
                       {ip_, "-json", "-4", "route", "show", "table", "all", "type", "local"});
  if (!text) return propagate(text);
  std::vector<std::string> ranges;
  try {
    const auto routes = nlohmann::json::parse(text->empty() ? "[]" : *text);
    for (const auto& route : routes) {
      const auto range = route.at("dst").get<std::string>();
      ranges.push_back(range == "default" ? "0.0.0.0/0" : range);
    }
  } catch (const nlohmann::json::exception& error) {
    return fail(NetworkErrc::refused, std::string("the host's addresses: ") + error.what());
  }
  return ranges;
}

}  // namespace mayfly::network
