// Something that is tried again after a while.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace mayfly::events {

/// Calls `work` on the executor's thread after `delay`, unless its loop ends first.
template <class F>
void after(const boost::asio::any_io_executor& executor, std::chrono::milliseconds delay, F work) {
  auto timer = std::make_shared<boost::asio::steady_timer>(executor, delay);
  timer->async_wait([timer, work = std::move(work)](const boost::system::error_code& error) mutable {
    if (!error) work();
  });
}

}  // namespace mayfly::events
