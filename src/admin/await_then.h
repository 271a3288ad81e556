// Awaits what is answered on another thread (events::Then), and goes on on the control thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "base/result.h"
#include "events/store.h"
#include "intake/local_request.h"

namespace mayfly::admin {

/// For how long one answer of the events' engine is waited for.
inline constexpr std::chrono::milliseconds kEnginePatience{30'000};

/// Who waits. Belongs to the control thread, and to the timer there: another thread holds it weakly, so that
/// it ends where it belongs, whatever comes first.
template <class T, class Handler>
struct AwaitedAnswer {
  AwaitedAnswer(const boost::asio::any_io_executor& control, Handler its)
      : timer(control), handler(std::move(its)) {}
  void finish(Result<T> result) {
    if (done) return;
    done = true;
    timer.cancel();
    std::move(handler)(std::move(result));
  }
  boost::asio::steady_timer timer;
  Handler handler;
  bool done = false;
};

/// Calls `start` with a `then` that any thread may call, once. Error besides its own: no_answer, when it was
/// not called in time; what comes later is not heard.
template <class T>
boost::asio::awaitable<Result<T>> await_then(boost::asio::any_io_executor control,
                                             std::function<void(events::Then<T>)> start,
                                             std::chrono::milliseconds patience = kEnginePatience) {
  auto initiate = [control, start = std::move(start), patience](auto handler) {
    using Awaited = AwaitedAnswer<T, decltype(handler)>;
    auto awaited = std::make_shared<Awaited>(control, std::move(handler));
    awaited->timer.expires_after(patience);
    awaited->timer.async_wait([awaited](const boost::system::error_code& stopped) {
      if (!stopped) awaited->finish(fail(intake::IntakeErrc::no_answer, "the events' store does not answer"));
    });
    start([control, weak = std::weak_ptr(awaited)](Result<T> result) {
      auto held = std::make_shared<Result<T>>(std::move(result));
      boost::asio::post(control, [weak, held] {
        if (const auto waiting = weak.lock()) waiting->finish(std::move(*held));
      });
    });
  };
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<T>)>(
      initiate, boost::asio::use_awaitable);
}

}  // namespace mayfly::admin
