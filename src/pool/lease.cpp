// A slot of an instance, from its being taken until it is given back.
#include "pool/instance.h"

namespace mayfly::pool {

Lease::Lease(Instance& instance) : instance_(&instance) { ++instance.in_flight_; }

Lease& Lease::operator=(Lease&& other) noexcept {
  // The old one ends last: its slot may be taken at once, by a lease that comes into this very place.
  const Lease old(std::move(*this));
  instance_ = std::exchange(other.instance_, nullptr);
  return *this;
}

void Lease::release() {
  if (instance_ == nullptr) return;
  Instance& instance = *std::exchange(instance_, nullptr);
  --instance.in_flight_;
  if (instance.in_flight_ == 0) instance.idle_since_ = std::chrono::steady_clock::now();
  if (instance.state_ == Instance::State::serving) instance.owner_.on_slot_free(instance);
}

}  // namespace mayfly::pool
