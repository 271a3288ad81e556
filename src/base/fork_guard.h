// What a child that fork() makes of this process must not keep: sockets on which it would speak for its
// parent.
#pragma once

namespace mayfly {

/// While it lives, `in_child` is called with `self` in every child that fork(2) makes of this process,
/// whoever calls it (pthread_atfork(3)); not for vfork, clone or posix_spawn, whose children run another
/// program. It may close descriptors and forget what is in memory. Made and destroyed on one thread, while no
/// other forks.
class ForkGuard {
 public:
  ForkGuard(void (*in_child)(void*), void* self);
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

 private:
  static void after_fork();

  static ForkGuard* first;
  void (*in_child_)(void*);
  void* self_;
  ForkGuard* next_;
};

}  // namespace mayfly
