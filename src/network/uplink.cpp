#include "network/uplink.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "base/pipe.h"
#include "network/addresses.h"
#include "network/tool.h"

namespace mayfly::network {
namespace {

constexpr int kRouterFd = 3;
constexpr int kReadyFd = 4;
constexpr std::size_t kMaxWords = 4096;
constexpr milliseconds kPatience{10'000};

std::vector<std::string> command(const std::string& slirp) {
  return {slirp,
          "--configure",
          "--mtu=65520",
          "--cidr=" + std::string(kUplinkRange),
          "--disable-host-loopback",
          "--enable-sandbox",
          "--enable-seccomp",
          "--ready-fd=" + std::to_string(kReadyFd),
          "--netns-type=path",
          "/proc/self/fd/" + std::to_string(kRouterFd),
          "tap0"};
}

}  // namespace

std::string lacking_for_outbound() {
  for (const char* tool : {"ip", "nft", "slirp4netns"})
    if (const auto found = find_tool(tool); !found) return found.error().message;
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return fail_errno("open /dev/net/tun").error().message;
  return {};
}

Result<Uplink> Uplink::start(int router) {
  auto slirp = find_tool("slirp4netns");
  if (!slirp) return propagate(slirp);
  if (const auto lacking = lacking_for_outbound(); !lacking.empty())
    return fail(NetworkErrc::refused, "the uplink: " + lacking);
  auto words = output_pipe();
  if (!words) return propagate(words);
  auto ready = output_pipe();
  if (!ready) return propagate(ready);
  ChildOptions options;
  options.argv = command(*slirp);
  options.environment.emplace();
  options.descriptors = {{words->theirs.get(), 1},
                         {words->theirs.get(), 2},
                         {router, kRouterFd},
                         {ready->theirs.get(), kReadyFd}};
  auto child = Child::start(options);
  if (!child) return fail(NetworkErrc::refused, "the uplink: " + child.error().message);
  Uplink uplink;
  uplink.child_ = std::move(*child);
  uplink.words_ = std::move(words->ours);
  words->theirs.reset();
  ready->theirs.reset();
  if (uplink.wait_ready(ready->ours.get())) return uplink;
  uplink.child_.kill(SIGKILL);
  return fail(NetworkErrc::refused, "the uplink: " + uplink.end());
}

bool Uplink::wait_ready(int ready) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 3> items{pollfd{ready, POLLIN, 0}, pollfd{words_.get(), POLLIN, 0},
                                pollfd{child_.pidfd(), POLLIN, 0}};
    ::poll(items.data(), items.size(), static_cast<int>(left));
    listen();
    char byte = 0;
    const auto got = ::read(ready, &byte, 1);
    if (got == 1) return true;
    if (got == 0 || child_.try_wait()) return false;
  }
}

void Uplink::listen() {
  std::array<char, 4096> buffer;
  const auto got = ::read(words_.get(), buffer.data(), buffer.size());
  if (got <= 0) return;
  last_words_.append(buffer.data(), static_cast<std::size_t>(got));
  if (last_words_.size() > kMaxWords) last_words_.erase(0, last_words_.size() - kMaxWords);
}

std::string Uplink::end() {
  listen();
  const auto how = "slirp4netns ended with " + child_.wait().text();
  const auto words = last_line(last_words_);
  return words.empty() ? how : how + ": " + words;
}

}  // namespace mayfly::network
