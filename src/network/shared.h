// What the thread that makes networks shares with those who take them.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "network/networks.h"
#include "network/router.h"

namespace mayfly::network {

/// Any thread; nothing blocks but for the mutex.
class Shared {
 public:
  struct Request {
    AllowList allow;
    Networks::Taken done;
  };
  /// What there is to do for the thread.
  struct Work {
    std::vector<Request> requests;
    std::vector<Link> links;  ///< from the stock, for the first of these requests
    std::vector<int> returned;
    std::size_t stock = 0;  ///< how many are still there
    bool stop = false;
  };
  static constexpr std::size_t kMaxRequests = 10'000;
  /// What a thread without networks wakes up for.
  enum class Need { none, networks, end };

  explicit Shared(Fd wake) : wake_(std::move(wake)) {}

  /// Readable when there is something to do.
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  [[nodiscard]] Work work();

  /// A ready one; otherwise the request is kept for the thread, or is an error.
  [[nodiscard]] Result<std::optional<Link>> take(AllowList allow, const Networks::Taken& done);
  void put(Link link);
  void give_back(int slot);
  void stop();
  /// Until `again` every request is answered like this; and those that wait, which are the caller's to
  /// answer.
  [[nodiscard]] std::vector<Request> fail(const Error& why, MonotonicTime again = MonotonicTime::max());
  /// There are networks now.
  void recovered();
  /// After fail().
  [[nodiscard]] Need need();
  [[nodiscard]] std::optional<Error> failed() const;

 private:
  void wake();

  mutable std::mutex mutex_;  // of all that follows
  std::deque<Link> stock_;
  std::vector<Request> requests_;
  std::vector<int> returned_;
  std::optional<Error> failed_;
  MonotonicTime again_ = MonotonicTime::max();  // with failed_: who asks then waits for another attempt
  bool stop_ = false;
  Fd wake_;
};

}  // namespace mayfly::network
