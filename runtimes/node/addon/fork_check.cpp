#include "fork_check.h"

#include <dlfcn.h>

#include <algorithm>
#include <utility>

namespace mayfly::node {
namespace {

std::vector<void*> live_threads() {
  using LiveThreads = int (*)(void**, int);
  // From the preloaded library; without it nothing is known of threads.
  const auto count_threads = reinterpret_cast<LiveThreads>(::dlsym(RTLD_DEFAULT, "mayfly_live_threads"));
  if (count_threads == nullptr) return {};
  std::vector<void*> routines(256);
  const int count = count_threads(routines.data(), static_cast<int>(routines.size()));
  routines.resize(static_cast<std::size_t>(std::min(count, 256)));
  return routines;
}

}  // namespace

void ForkCheck::remember_baseline() {
  descriptors_.remember();
  if (std::exchange(remembered_, true)) return;
  // The runtime has used its file workers once by now, so their routine is among these.
  for (void* routine : live_threads()) thread_routines_.insert(routine);
}

std::vector<std::string> ForkCheck::reasons() const {
  auto reasons = descriptors_.reasons();
  int threads = 0;
  for (void* routine : live_threads())
    if (!thread_routines_.contains(routine)) ++threads;
  if (threads > 0) reasons.push_back("init left " + std::to_string(threads) + " thread(s) running");
  return reasons;
}

}  // namespace mayfly::node
