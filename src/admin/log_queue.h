// LogQueue: log lines on their way from whoever writes them to one client that follows them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mayfly::admin {

/// A bounded queue with one reader. A reader that is too slow loses lines, and is told how many; the
/// writer never waits. Held by shared_ptr: both sides may let go at any time.
class LogQueue : public std::enable_shared_from_this<LogQueue> {
 public:
  static constexpr std::size_t kCapacity = 4096;

  /// `executor` is the reader's: next() is awaited there, and it runs one thread.
  explicit LogQueue(const boost::asio::any_io_executor& executor, std::size_t capacity = kCapacity);

  /// From any thread; holds a lock for the time of a move. False: nobody reads any more, forget the queue.
  bool push(std::string line);
  /// From any thread. The reader gets what is left, with this line if it is not empty, then the end.
  void close(std::string last = {});

  struct Batch {
    std::vector<std::string> lines;
    std::uint64_t dropped = 0;  ///< lines lost after the last of these
    bool closed = false;        ///< nothing comes after these
  };
  /// What there is, as soon as there is something. Empty when nothing came for as long as `patience`.
  boost::asio::awaitable<Batch> next(std::chrono::milliseconds patience);

 private:
  void wake(std::unique_lock<std::mutex> lock);

  boost::asio::steady_timer alarm_;  // the reader waits on it; cancelled to wake it
  const std::size_t capacity_;
  std::mutex mutex_;  // guards what follows
  Batch batch_;
  bool waiting_ = false;
};

}  // namespace mayfly::admin
