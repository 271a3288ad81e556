#include "daemon/watch_threads.h"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

namespace mayfly::daemon {

WatchThreads::WatchThreads(bool groups_share_cpu) {
  if (groups_share_cpu) return;
  constexpr int kNice = -10;
  for (auto& pool : pools_)
    boost::asio::post(pool, [] {  // an ordinary user may not: then it is a thread like the others
      (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    });
}

std::vector<boost::asio::any_io_executor> WatchThreads::executors() {
  std::vector<boost::asio::any_io_executor> executors;
  for (auto& pool : pools_) executors.emplace_back(pool.get_executor());
  return executors;
}

}  // namespace mayfly::daemon
