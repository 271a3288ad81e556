// What another thread knows, awaited on the control thread.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "daemon/shard.h"

namespace mayfly::daemon {

/// Awaits a callback that another thread will call once with a T; goes on on the control thread.
template <class T>
boost::asio::awaitable<T> await_answer(boost::asio::io_context& control,
                                       std::function<void(std::function<void(T)>)> start) {
  auto initiate = [&control, start = std::move(start)](auto handler) {
    auto held = std::make_shared<decltype(handler)>(std::move(handler));
    auto work = std::make_shared<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>>(
        control.get_executor());
    start([&control, held, work](T value) {
      auto answer = std::make_shared<T>(std::move(value));
      boost::asio::post(control, [held, work, answer] { (*held)(std::move(*answer)); });
    });
  };
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(T)>(
      initiate, boost::asio::use_awaitable);
}

/// What `ask` returns when it is called with the shard on the shard's own thread.
template <class F>
auto ask_shard(boost::asio::io_context& control, Shard& shard, F ask) {
  using T = std::invoke_result_t<F, Shard&>;
  return await_answer<T>(control, [&shard, ask = std::move(ask)](std::function<void(T)> then) {
    shard.post([&shard, ask, then = std::move(then)] { then(ask(shard)); });
  });
}

}  // namespace mayfly::daemon
