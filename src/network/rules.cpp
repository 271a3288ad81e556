#include "network/rules.h"

#include "network/addresses.h"

namespace mayfly::network {
namespace {

// Idle connections of functions that are gone must not stay for the five days of the kernel's default, and
// closed ones not for two minutes: one function that opens many would fill the table of all.
constexpr std::string_view kRules = R"(table inet mayfly {
  set functions {
    type ifname . ipv4_addr
  }
  set limits {
    type ipv4_addr
    size 65536
    flags dynamic
  }
  set own {
    type ipv4_addr
    flags interval
    auto-merge
  }
  map services {
    type ipv4_addr : verdict
  }
  map ranges {
    type ipv4_addr : verdict
  }
  ct timeout short-tcp {
    protocol tcp;
    l3proto ip;
    policy = { established: 7200, fin_wait: 30, close_wait: 60, last_ack: 10, time_wait: 5, close: 5 }
  }
  chain spoofed {
    type filter hook prerouting priority raw; policy drop;
    iifname { "tap0", "lo" } accept
    iifname . ip saddr @functions accept
  }
  chain timeouts {
    type filter hook prerouting priority filter; policy accept;
    meta l4proto tcp ct timeout set "short-tcp"
  }
  chain begin {
    ip daddr $NAME_SERVER th dport 53 accept
    ip saddr vmap @services
    ip daddr @own reject with icmp admin-prohibited
    ip saddr vmap @ranges
    ip daddr $PRIVATE reject with icmp admin-prohibited
    accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    meta nfproto != ipv4 drop
    iifname != "fn*" drop
    oifname != "tap0" reject with icmp admin-prohibited
    meta l4proto != { tcp, udp } reject with icmp admin-prohibited
    ct state != new drop
    ip saddr @limits reject with icmp admin-prohibited
    goto begin
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "tap0" ct state established,related accept
    iifname "fn*" meta nfproto ipv4 reject with icmp admin-prohibited
  }
  chain translate {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "tap0" masquerade
  }
}
)";

/// What is not the internet (RFC 6890): the machine itself, private networks, link-local with the metadata
/// services of clouds, our own range, multicast, reserved.
constexpr std::string_view kPrivate =
    "{ 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, "
    "192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3 }";
/// Connections that one function has at a time.
constexpr int kMaxConnections = 1024;

std::string element(std::string_view verb, std::string_view set, const std::string& value) {
  return std::string(verb) + " element inet mayfly " + std::string(set) + " { " + value + " }\n";
}

/// As `add` for both ways: nft takes a map's value for deleting, too.
std::string jump(std::string_view verb, int slot, std::string_view map) {
  return element(verb, map, function_address(slot) + " : jump " + std::string(map) + std::to_string(slot));
}

std::string chain(std::string_view verb, int slot, std::string_view map) {
  return std::string(verb) + " chain inet mayfly " + std::string(map) + std::to_string(slot) + "\n";
}

}  // namespace

std::string router_rules() {
  std::string text = "define NAME_SERVER = " + std::string(kNameServer) + "\n";
  text += "define PRIVATE = " + std::string(kPrivate) + "\n";
  return text.append(kRules);
}

std::string own_address_rules(std::span<const std::string> ranges) {
  std::string text = "flush set inet mayfly own\n";
  for (const auto& range : ranges) text += element("add", "own", range);
  return text;
}

std::string admit_rules(int slot) {
  return element("add", "functions", link_name(slot) + " . " + function_address(slot)) +
         element("add", "limits",
                 function_address(slot) + " ct count over " + std::to_string(kMaxConnections));
}

std::string allow_rules(int slot, const AllowList& allow) {
  std::string text = chain("add", slot, "services") + chain("add", slot, "ranges");
  for (const auto& rule : allow) {
    const std::string_view map = rule.is_service() ? "services" : "ranges";
    text += "add rule inet mayfly " + std::string(map) + std::to_string(slot) + " ip daddr " +
            address_text(rule.address) + "/" + std::to_string(rule.prefix);
    if (rule.port != 0) text += " th dport " + std::to_string(rule.port);
    text += " accept\n";
  }
  return text + jump("add", slot, "services") + jump("add", slot, "ranges");
}

std::string dismiss_rules(int slot, bool allowed) {
  std::string text = element("delete", "functions", link_name(slot) + " . " + function_address(slot)) +
                     element("delete", "limits", function_address(slot));
  if (!allowed) return text;
  for (const std::string_view map : {"services", "ranges"})
    text += jump("delete", slot, map) + chain("flush", slot, map) + chain("delete", slot, map);
  return text;
}

}  // namespace mayfly::network
