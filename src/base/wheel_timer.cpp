#include "base/wheel_timer.h"

namespace mayfly {

WheelTimer::WheelTimer(const boost::asio::any_io_executor& executor, DeadlineWheel& wheel)
    : wheel_(wheel), timer_(executor) {
  wheel_.on_earlier = [this](MonotonicTime when) { arm(when); };
  wheel_.sleep(wheel_.next());
  arm(wheel_.next());
}

WheelTimer::~WheelTimer() {
  wheel_.on_earlier = [](MonotonicTime) {};
}

void WheelTimer::turn() {
  wheel_.advance(std::chrono::steady_clock::now());
  const auto next = wheel_.next();
  wheel_.sleep(next);
  arm(next);
}

void WheelTimer::arm(MonotonicTime when) {
  if (when == MonotonicTime::max()) return;
  timer_.expires_at(when);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) turn();
  });
}

}  // namespace mayfly
