#include "wire/offers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "wire/frame.h"

namespace mayfly::wire {
namespace {

/// One slot. `stream` is the one on offer, or 0. A stream's number has its generation in it, so what is late
/// never meets the next one of its slot.
struct Slot {
  std::atomic<std::uint32_t> stream;
  std::uint32_t unused;
  std::atomic<std::uint64_t> begun_at;
};
static_assert(sizeof(Slot) == 16 && std::atomic<std::uint32_t>::is_always_lock_free &&
              std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace

struct Offers::Page {
  std::array<Slot, kMaxOffers> slots;

  [[nodiscard]] Slot* find(std::uint32_t stream) {
    const auto slot = slot_of(stream);
    return stream != 0 && slot < kMaxOffers ? &slots[slot] : nullptr;
  }
};

Result<Offers> Offers::map(int file) {
  void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return fail_errno("map a page of offers");
  return Offers(static_cast<Page*>(memory));
}

Result<std::pair<Offers, Fd>> Offers::create() {
  Fd file(::memfd_create("offers", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("memfd_create");
  if (::ftruncate(file.get(), sizeof(Page)) != 0) return fail_errno("make a page of offers");
  // A page that shrinks under the daemon would be its death (SIGBUS).
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    return fail_errno("seal a page of offers");
  auto offers = map(file.get());
  if (!offers) return propagate(offers);
  return std::pair(std::move(*offers), std::move(file));
}

Result<Offers> Offers::open(const Fd& file) { return map(file.get()); }

Offers::~Offers() {
  if (page_ != nullptr) ::munmap(page_, sizeof(Page));
}

void Offers::offer(std::uint32_t stream) {
  Slot* slot = page_->find(stream);
  if (slot == nullptr) return;
  slot->begun_at.store(0, std::memory_order_relaxed);
  slot->stream.store(stream, std::memory_order_release);
}

bool Offers::take_back(std::uint32_t stream) {
  Slot* slot = page_->find(stream);
  return slot != nullptr && slot->stream.compare_exchange_strong(stream, 0, std::memory_order_acq_rel);
}

bool Offers::offered(std::uint32_t stream) const {
  const Slot* slot = page_->find(stream);
  return slot != nullptr && slot->stream.load(std::memory_order_acquire) == stream;
}

std::uint64_t Offers::begun_at(std::uint32_t stream) const {
  const Slot* slot = page_->find(stream);
  return slot != nullptr ? slot->begun_at.load(std::memory_order_acquire) : 0;
}

bool Offers::claim(std::uint32_t stream, std::uint64_t now) {
  Slot* slot = page_->find(stream);
  if (slot == nullptr || !slot->stream.compare_exchange_strong(stream, 0, std::memory_order_acq_rel))
    return false;
  slot->begun_at.store(now, std::memory_order_release);
  return true;
}

}  // namespace mayfly::wire
