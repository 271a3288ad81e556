#include "base/fork_guard.h"

#include <pthread.h>

namespace mayfly {

ForkGuard* ForkGuard::first = nullptr;

void ForkGuard::after_fork() {
  for (ForkGuard* guard = first; guard != nullptr; guard = guard->next_) guard->in_child_(guard->self_);
}

ForkGuard::ForkGuard(void (*in_child)(void*), void* self) : in_child_(in_child), self_(self), next_(first) {
  static const int registered = ::pthread_atfork(nullptr, nullptr, &ForkGuard::after_fork);
  (void)registered;
  first = this;
}

ForkGuard::~ForkGuard() {
  for (ForkGuard** at = &first; *at != nullptr; at = &(*at)->next_) {
    if (*at != this) continue;
    *at = next_;
    return;
  }
}

}  // namespace mayfly
