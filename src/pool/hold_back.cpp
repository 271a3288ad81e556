#include "pool/hold_back.h"

namespace mayfly::pool {

void HoldBack::note_excess(MonotonicTime now) {
  const bool again = pending();
  wheel_.add(*this, now + kMemory);
  if (again && !std::exchange(held_back_, true)) set_(true);
}

void HoldBack::on_deadline() {
  if (std::exchange(held_back_, false)) set_(false);
}

}  // namespace mayfly::pool
