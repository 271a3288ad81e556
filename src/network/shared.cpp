#include "network/shared.h"

#include <unistd.h>

#include <cstdint>
#include <utility>

namespace mayfly::network {

Shared::Work Shared::work() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  Work work;
  work.requests = std::exchange(requests_, {});
  work.returned = std::exchange(returned_, {});
  for (; work.links.size() < work.requests.size() && !stock_.empty(); stock_.pop_front())
    work.links.push_back(std::move(stock_.front()));
  work.stock = stock_.size();
  work.stop = stop_;
  return work;
}

Result<std::optional<Link>> Shared::take(AllowList allow, const Networks::Taken& done) {
  const std::lock_guard lock(mutex_);
  if (failed_ && std::chrono::steady_clock::now() < again_) return std::unexpected(*failed_);
  wake();
  if (!stock_.empty() && allow.empty()) {
    std::optional<Link> link = std::move(stock_.front());
    stock_.pop_front();
    return link;
  }
  if (requests_.size() >= kMaxRequests)
    return mayfly::fail(NetworkErrc::too_many, "too many templates wait for a network");
  requests_.push_back({std::move(allow), done});
  return std::nullopt;
}

void Shared::put(Link link) {
  const std::lock_guard lock(mutex_);
  stock_.push_back(std::move(link));
}

void Shared::give_back(int slot) {
  const std::lock_guard lock(mutex_);
  returned_.push_back(slot);
  wake();
}

void Shared::stop() {
  const std::lock_guard lock(mutex_);
  stop_ = true;
  wake();
}

std::vector<Shared::Request> Shared::fail(const Error& why, MonotonicTime again) {
  const std::lock_guard lock(mutex_);
  failed_ = why;
  again_ = again;
  stock_.clear();
  return std::exchange(requests_, {});
}

void Shared::recovered() {
  const std::lock_guard lock(mutex_);
  failed_.reset();
}

Shared::Need Shared::need() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  if (stop_) return Need::end;
  return requests_.empty() ? Need::none : Need::networks;
}

std::optional<Error> Shared::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

void Shared::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

}  // namespace mayfly::network
