#include "network/networks.h"

#include <sys/eventfd.h>

#include <utility>

#include "network/addresses.h"
#include "network/maker.h"
#include "network/shared.h"

namespace mayfly::network {

OutboundNetwork::OutboundNetwork(Fd ns, int slot, std::shared_ptr<Shared> shared)
    : ns_(std::move(ns)), slot_(slot), shared_(std::move(shared)) {}

OutboundNetwork& OutboundNetwork::operator=(OutboundNetwork&& other) noexcept {
  std::swap(ns_, other.ns_);
  std::swap(slot_, other.slot_);
  std::swap(shared_, other.shared_);
  return *this;
}

OutboundNetwork::~OutboundNetwork() {
  if (shared_) shared_->give_back(slot_);
}

std::string OutboundNetwork::resolv_conf() { return "nameserver " + std::string(kNameServer) + "\n"; }

Networks::Networks(std::size_t stock, milliseconds look_again)
    : shared_(std::make_shared<Shared>(Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)))),
      thread_([shared = shared_, stock, look_again] { Maker(shared, stock, look_again).run(); }) {}

void Networks::stop() {
  shared_->stop();
  if (thread_.joinable()) thread_.join();
}

void Networks::take(AllowList allow, Taken done) {
  auto taken = shared_->take(std::move(allow), done);
  if (!taken) return done(propagate(taken));
  if (*taken) done(OutboundNetwork(std::move((*taken)->ns), (*taken)->slot, shared_));
}

std::string Networks::unavailable() const {
  const auto failed = shared_->failed();
  return failed ? failed->message : std::string();
}

}  // namespace mayfly::network
