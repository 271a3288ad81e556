#include "network/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "network/tool.h"
#include "network/world_test_support.h"

namespace mayfly::network {
namespace {

using testing::AnyOf;
using testing::Eq;

constexpr int kHostPort = 8081;  ///< as the admin plane's

/// The small internet, or why there is none here. Entered in main(), before there are threads.
std::unique_ptr<World> world;
std::string no_world;

Result<OutboundNetwork> take(Networks& networks, const std::vector<std::string>& allow = {}) {
  AllowList rules;
  for (const auto& text : allow) rules.push_back(parse_allow_rule(text).value());
  std::promise<Result<OutboundNetwork>> taken;
  networks.take(rules, [&](Result<OutboundNetwork> network) { taken.set_value(std::move(network)); });
  auto future = taken.get_future();
  if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) std::abort();
  return future.get();
}

bool eventually(const std::function<bool()>& what) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < end) {
    if (what()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// Refused by the router, or there is no way.
auto closed() { return AnyOf(Eq(EHOSTUNREACH), Eq(ENETUNREACH)); }

std::string read_inside(int ns, const char* path) {
  std::stringstream text;
  World::inside(ns, [&] { text << std::ifstream(path).rdbuf(); });
  return text.str();
}

/// The uplink that this process has started.
pid_t uplink() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    for (pid_t pid = 0; children >> pid;) {
      std::string name;
      std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> name;
      if (name == "slirp4netns") return pid;
    }
  }
  return 0;
}

class Outbound : public testing::Test {
 protected:
  void SetUp() override {
    if (!world) GTEST_SKIP() << no_world;
  }
};

TEST_F(Outbound, ReachesTheInternetAndResolvesNames) {
  Networks networks;
  const auto network = take(networks);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(World::connect(network->ns(), World::kInternet, 80), 0);
  EXPECT_TRUE(World::resolves(network->ns(), OutboundNetwork::resolv_conf()));
  EXPECT_EQ(networks.unavailable(), "");
}

TEST_F(Outbound, ReachesNothingElse) {
  Networks networks;
  const auto network = take(networks).value();
  for (const char* address : World::kPrivate) {
    ASSERT_EQ(World::connect(world->host(), address, 80), 0) << address;
    EXPECT_THAT(World::connect(network.ns(), address, 80), closed()) << address;
  }
  for (const char* address : World::kHost) {
    ASSERT_EQ(World::connect(world->host(), address, kHostPort), 0) << address;
    EXPECT_THAT(World::connect(network.ns(), address, kHostPort), closed()) << address;
  }
  // Loopback is its own; the uplink's gateway and name server stand for the host's, and the router is
  // nobody's.
  ASSERT_EQ(World::connect(world->host(), "127.0.0.1", kHostPort), 0);
  for (const char* address : {"127.0.0.1", "127.0.0.53", "0.0.0.0"})
    EXPECT_EQ(World::connect(network.ns(), address, kHostPort), ECONNREFUSED) << address;
  for (const char* address : {"198.19.0.2", "198.19.0.3", "198.19.0.100", "198.19.1.1"})
    EXPECT_THAT(World::connect(network.ns(), address, kHostPort), closed()) << address;
  // What answers names on the host may have other ports.
  EXPECT_THAT(World::connect(network.ns(), "198.19.0.3", 80), closed());
}

TEST_F(Outbound, HasNoIPv6) {
  Networks networks;
  const auto network = take(networks).value();
  std::istringstream addresses(read_inside(network.ns(), "/proc/thread-self/net/if_inet6"));
  for (std::string line; std::getline(addresses, line);) EXPECT_TRUE(line.ends_with(" lo")) << line;
}

TEST_F(Outbound, ReachesNoOtherFunction) {
  Networks networks;
  const auto one = take(networks).value();
  const auto other = take(networks).value();
  world->listen(other.ns(), 7000);
  std::istringstream routes(read_inside(other.ns(), "/proc/thread-self/net/fib_trie"));
  std::string address;
  for (std::string word; routes >> word;)
    if (word.starts_with("198.18.")) address = word;
  ASSERT_EQ(World::connect(other.ns(), address, 7000), 0) << address;
  EXPECT_THAT(World::connect(one.ns(), address, 7000), closed()) << address;
}

TEST_F(Outbound, AnAllowListOpensWhatItSays) {
  Networks networks;
  const auto network = take(networks, {"10.1.2.0/24:80", "192.168.0.5", "169.254.169.254:80"}).value();
  const auto other = take(networks).value();
  const auto open = [&](const char* address, int port) {
    return World::connect(network.ns(), address, port);
  };
  EXPECT_EQ(open("10.1.2.3", 80), 0);
  EXPECT_EQ(open("10.1.2.4", 80), 0);
  EXPECT_THAT(open("10.1.2.3", 5432), closed());
  EXPECT_EQ(open("192.168.0.5", 80), 0);
  EXPECT_EQ(open("192.168.0.5", 5432), 0);
  EXPECT_THAT(open("192.168.0.6", 80), closed());
  EXPECT_EQ(open("169.254.169.254", 80), 0);
  EXPECT_THAT(open("169.254.169.254", 5432), closed());
  EXPECT_THAT(open("172.16.5.5", 80), closed());
  EXPECT_THAT(World::connect(other.ns(), "10.1.2.3", 80), closed());
}

TEST_F(Outbound, OnlyAServiceOpensTheHostsOwnAddress) {
  Networks networks;
  world->listen(world->host(), 5433);
  const auto ranges = take(networks, {"192.168.0.0/16", "192.168.77.1", "192.168.77.0/24:8081"}).value();
  EXPECT_EQ(World::connect(ranges.ns(), "192.168.0.5", 80), 0);
  EXPECT_THAT(World::connect(ranges.ns(), "192.168.77.1", kHostPort), closed());
  const auto service = take(networks, {"192.168.77.1:5433"}).value();
  EXPECT_EQ(World::connect(service.ns(), "192.168.77.1", 5433), 0);
  EXPECT_THAT(World::connect(service.ns(), "192.168.77.1", kHostPort), closed());
}

TEST_F(Outbound, AnAddressThatTheHostGetsLaterIsClosedToo) {
  Networks networks;
  const auto network = take(networks).value();
  ASSERT_TRUE(World::ip("addr add 203.0.113.2/32 dev lo\n"));
  ASSERT_EQ(World::connect(world->host(), "203.0.113.2", kHostPort), 0);
  EXPECT_TRUE(
      eventually([&] { return World::connect(network.ns(), "203.0.113.2", kHostPort) == EHOSTUNREACH; }));
  // A whole range that the kernel takes for its own.
  ASSERT_TRUE(World::ip("route add local 198.51.100.0/24 dev lo\n"));
  ASSERT_EQ(World::connect(world->host(), "198.51.100.7", kHostPort), 0);
  EXPECT_TRUE(
      eventually([&] { return World::connect(network.ns(), "198.51.100.7", kHostPort) == EHOSTUNREACH; }));
  ASSERT_TRUE(World::ip("addr del 203.0.113.2/32 dev lo\nroute del local 198.51.100.0/24 dev lo\n"));
}

TEST_F(Outbound, AForgedSourceGetsNowhere) {
  Networks networks;
  const auto network = take(networks).value();
  const auto other = take(networks).value();
  for (const char* address : {"198.18.200.1", "198.18.0.2", "203.0.113.77"})
    World::inside(network.ns(),
                  [&] { (void)World::ip(std::string("addr add ") + address + "/32 dev eth0\n"); });
  const int before = world->queries();
  for (const char* address : {"198.18.200.1", "198.18.0.2", "203.0.113.77"})
    EXPECT_FALSE(World::query(network.ns(), World::kInternet, address, 0));
  // Whatever was sent before it has arrived before it.
  EXPECT_TRUE(World::query(network.ns(), World::kInternet, {}, World::kPatience));
  EXPECT_EQ(world->queries(), before + 1);
}

TEST_F(Outbound, ManyConnectionsOfOneLeaveRoomForOthers) {
  Networks networks;
  const auto greedy = take(networks).value();
  const auto modest = take(networks).value();
  int error = 0;
  std::size_t count = 0;
  World::inside(greedy.ns(), [&] {
    std::vector<Fd> connections(1200);
    for (count = 0; count < connections.size(); ++count)
      if ((error = World::connect_to(connections[count], World::kInternet, 80)) != 0) break;
    EXPECT_EQ(count, 1024U);
    EXPECT_EQ(error, EHOSTUNREACH);
    EXPECT_EQ(World::connect(modest.ns(), World::kInternet, 80), 0);
  });
  EXPECT_TRUE(eventually([&] { return World::connect(greedy.ns(), World::kInternet, 80) == 0; }));
}

TEST_F(Outbound, AnUplinkThatDiesIsStartedAgain) {
  Networks networks;
  const auto network = take(networks).value();
  ASSERT_EQ(World::connect(network.ns(), World::kInternet, 80), 0);
  const auto pid = uplink();
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  EXPECT_TRUE(
      eventually([&] { return uplink() != pid && World::connect(network.ns(), World::kInternet, 80) == 0; }));
  EXPECT_THAT(World::connect(network.ns(), World::kPrivate[0], 80), closed());
}

TEST_F(Outbound, ANetworkThatIsGivenBackIsCutOff) {
  Networks networks;
  Fd ns;
  {
    const auto network = take(networks).value();
    ns = Fd(::fcntl(network.ns(), F_DUPFD_CLOEXEC, 0));
    ASSERT_EQ(World::connect(ns.get(), World::kInternet, 80), 0);
  }
  EXPECT_TRUE(eventually([&] { return World::connect(ns.get(), World::kInternet, 80) == ENETUNREACH; }));
  // Its rules went with it, and can be made again.
  for (int i = 0; i < 12; ++i) EXPECT_TRUE(take(networks, {"10.1.2.3:80", "10.0.0.0/8"}));
}

TEST_F(Outbound, ManyAtOnce) {
  Networks networks(2);
  std::vector<std::promise<Result<OutboundNetwork>>> taken(20);
  for (auto& each : taken)
    networks.take({}, [&](Result<OutboundNetwork> network) { each.set_value(std::move(network)); });
  std::vector<OutboundNetwork> kept;
  for (auto& each : taken) kept.push_back(each.get_future().get().value());
  EXPECT_EQ(World::connect(kept.front().ns(), World::kInternet, 80), 0);
  EXPECT_EQ(World::connect(kept.back().ns(), World::kInternet, 80), 0);
}

TEST_F(Outbound, EndsWithItsOwner) {
  std::promise<Result<OutboundNetwork>> taken;
  std::optional<OutboundNetwork> kept;
  {
    Networks networks;
    kept = take(networks).value();
    EXPECT_GT(uplink(), 0);
    networks.take({parse_allow_rule("10.1.2.3").value()},
                  [&](Result<OutboundNetwork> network) { taken.set_value(std::move(network)); });
  }
  EXPECT_EQ(uplink(), 0);
  (void)taken.get_future().get();  // answered, one way or the other
  EXPECT_NE(World::connect(kept->ns(), World::kInternet, 80), 0);
}

TEST_F(Outbound, AToolThatIsInstalledLaterIsFound) {
  const auto tool = find_tool("slirp4netns").value();
  ASSERT_EQ(::mount("/dev/null", tool.c_str(), nullptr, MS_BIND, nullptr), 0) << "in the world's own mounts";
  Networks networks(Networks::kStock, std::chrono::milliseconds(0));
  const auto none = take(networks);
  EXPECT_EQ(::umount2(tool.c_str(), MNT_DETACH), 0);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, testing::HasSubstr("slirp4netns"));
  EXPECT_EQ(networks.unavailable(), none.error().message);
  const auto network = take(networks);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(World::connect(network->ns(), World::kInternet, 80), 0);
  EXPECT_EQ(networks.unavailable(), "");
}

TEST_F(Outbound, WhatLacksIsNotLookedForAtEveryCall) {
  const auto tool = find_tool("slirp4netns").value();
  ASSERT_EQ(::mount("/dev/null", tool.c_str(), nullptr, MS_BIND, nullptr), 0) << "in the world's own mounts";
  Networks networks(Networks::kStock, std::chrono::hours(1));
  EXPECT_FALSE(take(networks));
  EXPECT_EQ(::umount2(tool.c_str(), MNT_DETACH), 0);
  EXPECT_FALSE(take(networks)) << "not yet";
}

TEST_F(Outbound, AHostThatAllowsNothingIsSaidSo) {
  std::thread([] {
    // Of this thread, and of those that it starts.
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    ASSERT_EQ(::syscall(SYS_capset, &head, none.data()), 0);
    Networks networks;
    const auto network = take(networks);
    ASSERT_FALSE(network);
    EXPECT_THAT(network.error().message, testing::HasSubstr("it needs root, or user namespaces"));
    EXPECT_EQ(networks.unavailable(), network.error().message);
  }).join();
}

}  // namespace
}  // namespace mayfly::network

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  mayfly::network::world = mayfly::network::World::enter(mayfly::network::no_world);
  const int result = RUN_ALL_TESTS();
  mayfly::network::world.reset();
  return result;
}
