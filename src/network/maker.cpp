#include "network/maker.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

namespace mayfly::network {
namespace {

constexpr std::size_t kBatch = 8;  ///< made in one go: the first of them waits for the last
constexpr milliseconds kRetry{1000};
constexpr milliseconds kFirstPause{
    20};  ///< before the uplink is started again; each further one is twice as long
constexpr milliseconds kLastPause{5000};
constexpr milliseconds kStable{10'000};

MonotonicTime now() { return std::chrono::steady_clock::now(); }

int poll_timeout(MonotonicTime when) {
  if (when == MonotonicTime::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(when - now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

Error stopped() { return {NetworkErrc::stopped, "the daemon ends", {}}; }

void answer_all(const std::vector<Shared::Request>& requests, const Error& why) {
  for (const auto& request : requests) request.done(std::unexpected(why));
}

}  // namespace

void Maker::run() {
  if (make_router()) {
    while (turn()) {
    }
  }
  answer_all(shared_->fail(stopped()), stopped());
}

/// What lacks may be installed while the daemon runs: looked for again when a function needs a network.
/// False: this ends.
bool Maker::make_router() {
  std::string said;
  for (;;) {
    const auto begun = begin();
    if (begun) break;
    const auto& why = begun.error();
    if (why.message != said) spdlog::warn("functions have no outbound network: {}", why.message);
    said = why.message;
    router_.reset();
    own_.clear();
    answer_all(shared_->fail(why, now() + look_again_), why);
    if (!wait_for_need()) return false;
  }
  if (!said.empty()) spdlog::info("functions have outbound networks now");
  shared_->recovered();
  return true;
}

bool Maker::wait_for_need() const {
  for (;;) {
    const auto need = shared_->need();
    if (need != Shared::Need::none) return need == Shared::Need::networks;
    pollfd wake{shared_->wake_fd(), POLLIN, 0};
    ::poll(&wake, 1, -1);
  }
}

Result<void> Maker::begin() {
  auto addresses = HostAddresses::open();
  if (!addresses) return propagate(addresses);
  addresses_ = std::move(*addresses);
  auto router = Router::make();
  if (!router) return propagate(router);
  router_ = std::move(*router);
  // Before there is a way by which they could be reached.
  if (auto done = set_own_addresses(); !done) return done;
  return start_uplink();
}

bool Maker::turn() {
  auto work = shared_->work();
  if (!work.returned.empty()) router_->remove(work.returned);
  if (work.stop) {
    answer_all(work.requests, stopped());
    return false;
  }
  serve(std::move(work.requests), std::move(work.links));
  follow_host();
  follow_uplink();
  const bool stock_is_short = work.stock < wanted_;
  if (stock_is_short && now() >= refill_at_)
    refill(work.stock);
  else
    wait(stock_is_short);
  return true;
}

void Maker::wait(bool stock_is_short) const {
  std::array<pollfd, 4> items{pollfd{shared_->wake_fd(), POLLIN, 0}, pollfd{addresses_->fd(), POLLIN, 0},
                              pollfd{uplink_ ? uplink_->pidfd() : -1, POLLIN, 0},
                              pollfd{uplink_ ? uplink_->words_fd() : -1, POLLIN, 0}};
  const auto next = std::min({refresh_at_, restart_at_, stock_is_short ? refill_at_ : MonotonicTime::max()});
  ::poll(items.data(), items.size(), poll_timeout(next));
}

void Maker::serve(std::vector<Shared::Request> requests, std::vector<Link> links) {
  std::size_t next = 0;
  for (auto& link : links) serve_one(requests[next++], std::move(link));
  while (next < requests.size()) {
    auto more = router_->add(std::min(kBatch, requests.size() - next));
    if (!more) {
      requests.erase(requests.begin(), requests.begin() + static_cast<std::ptrdiff_t>(next));
      return answer_all(requests, more.error());
    }
    for (auto& link : *more) serve_one(requests[next++], std::move(link));
  }
}

void Maker::serve_one(const Shared::Request& request, Link link) {
  OutboundNetwork network(std::move(link.ns), link.slot, shared_);
  if (!request.allow.empty())
    if (auto allowed = router_->allow(link.slot, request.allow); !allowed)
      return request.done(std::unexpected(std::move(allowed.error())));
  request.done(std::move(network));
}

void Maker::refill(std::size_t ready) {
  auto links = router_->add(std::min(kBatch, wanted_ - ready));
  if (!links) {
    spdlog::warn("no network can be made: {}", links.error().message);
    refill_at_ = now() + kRetry;
    return;
  }
  for (auto& link : *links) shared_->put(std::move(link));
}

void Maker::follow_host() {
  if (addresses_->changed() && refresh_at_ == MonotonicTime::max()) refresh_at_ = now();
  if (now() < refresh_at_) return;
  if (const auto done = set_own_addresses(); !done) {
    spdlog::error("functions may reach a new address of this host: {}", done.error().message);
    refresh_at_ = now() + kRetry;
    return;
  }
  refresh_at_ = MonotonicTime::max();
}

Result<void> Maker::set_own_addresses() {
  auto addresses = addresses_->list();
  if (!addresses) return propagate(addresses);
  std::ranges::sort(*addresses);
  if (*addresses == own_) return {};
  if (auto done = router_->set_own_addresses(*addresses); !done) return done;
  own_ = std::move(*addresses);
  return {};
}

void Maker::follow_uplink() {
  if (uplink_) {
    uplink_->listen();
    if (!uplink_->ended()) return;
    spdlog::warn("the uplink of functions is started again: {}", uplink_->end());
    uplink_.reset();
    const bool was_stable = now() - uplink_since_ > kStable;
    restart_pause_ = was_stable ? kFirstPause : std::clamp(2 * restart_pause_, kFirstPause, kLastPause);
    restart_at_ = now() + restart_pause_;
  }
  if (now() < restart_at_) return;
  const auto started = start_uplink();
  if (started) return;
  spdlog::error("functions have no network at the moment: {}", started.error().message);
  restart_pause_ = std::clamp(2 * restart_pause_, kFirstPause, kLastPause);
  restart_at_ = now() + restart_pause_;
}

Result<void> Maker::start_uplink() {
  auto uplink = Uplink::start(router_->ns());
  if (!uplink) return propagate(uplink);
  uplink_ = std::move(*uplink);
  uplink_since_ = now();
  restart_at_ = MonotonicTime::max();
  return {};
}

}  // namespace mayfly::network
