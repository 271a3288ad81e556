// Turns a wheel of deadlines: one timer that sleeps until the next of them, and not at all without one.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/deadline_wheel.h"

namespace mayfly {

/// Belongs to the thread of its executor, as the wheel does. The system's timer is touched when a deadline
/// comes that is earlier than all others, not once a request: those that come later find it set already, and
/// one that was cancelled is found out when it would have been due.
class WheelTimer {
 public:
  WheelTimer(const boost::asio::any_io_executor& executor, DeadlineWheel& wheel);
  ~WheelTimer();
  WheelTimer(const WheelTimer&) = delete;
  WheelTimer& operator=(const WheelTimer&) = delete;

 private:
  void turn();
  void arm(MonotonicTime when);

  DeadlineWheel& wheel_;
  boost::asio::steady_timer timer_;
};

}  // namespace mayfly
