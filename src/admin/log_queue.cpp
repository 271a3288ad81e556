#include "admin/log_queue.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace mayfly::admin {

namespace asio = boost::asio;

LogQueue::LogQueue(const asio::any_io_executor& executor, std::size_t capacity)
    : alarm_(executor), capacity_(capacity) {}

bool LogQueue::push(std::string line) {
  std::unique_lock lock(mutex_);
  if (batch_.closed) return false;
  if (batch_.lines.size() >= capacity_) {
    ++batch_.dropped;
    return true;
  }
  batch_.lines.push_back(std::move(line));
  wake(std::move(lock));
  return true;
}

void LogQueue::close(std::string last) {
  std::unique_lock lock(mutex_);
  if (!last.empty() && !batch_.closed) batch_.lines.push_back(std::move(last));  // also beyond the capacity
  batch_.closed = true;
  wake(std::move(lock));
}

void LogQueue::wake(std::unique_lock<std::mutex> lock) {
  if (!std::exchange(waiting_, false)) return;
  lock.unlock();
  // The cancellation runs on the reader's thread, so after the reader has begun its wait.
  asio::post(alarm_.get_executor(), [self = shared_from_this()] { self->alarm_.cancel(); });
}

asio::awaitable<LogQueue::Batch> LogQueue::next(std::chrono::milliseconds patience) {
  bool wait = false;
  {
    const std::scoped_lock lock(mutex_);
    wait = waiting_ = batch_.lines.empty() && !batch_.closed;
  }
  if (wait) {
    alarm_.expires_after(patience);
    const auto token = asio::as_tuple(asio::use_awaitable);
    co_await alarm_.async_wait(token);
  }
  const std::scoped_lock lock(mutex_);
  waiting_ = false;
  Batch batch = std::move(batch_);
  batch_ = Batch{};
  batch_.closed = batch.closed;
  co_return batch;
}

}  // namespace mayfly::admin
