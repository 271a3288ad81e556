// The threads on which instances are measured for their limits, and ended for them.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <vector>

#include "pool/limit_watch.h"

namespace mayfly::daemon {

/// One for each lane of pool::LimitWatch. A function with hundreds of processes must not delay its own end,
/// nor others'. Ends, in its destructor, with what a thread is just doing.
class WatchThreads {
 public:
  /// `groups_share_cpu`: a function has one share of the processor, however many processes it has. Where it
  /// is not so, these threads come before functions, if the daemon may say so (as root). Only then: they
  /// would come before the threads that answer requests as well.
  explicit WatchThreads(bool groups_share_cpu);
  /// As ShardOptions wants them.
  [[nodiscard]] std::vector<boost::asio::any_io_executor> executors();

 private:
  std::array<boost::asio::thread_pool, pool::LimitWatch::kLanes> pools_{
      boost::asio::thread_pool(1), boost::asio::thread_pool(1), boost::asio::thread_pool(1)};
};

}  // namespace mayfly::daemon
