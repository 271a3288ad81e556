// GroupCommit: the thread that calls of the store run on, many in one transaction.
//
// The thread takes all calls that wait, runs them in one transaction, commits (one sync), then tells their
// callers, in the order of the calls. While it commits, the next group gathers. So the more comes at once,
// the less each costs.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"

namespace mayfly::events {

/// One call of the store.
class Call {
 public:
  enum class Kind {
    read,  ///< writes nothing
    write,
    append,  ///< a write that is refused first when too much waits
  };
  /// `weight`: bytes that it holds while it waits.
  Call(Kind kind, std::size_t weight) : kind_(kind), weight_(weight) {}
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::size_t weight() const { return weight_; }

  /// Does it. An error: all that was written has to be undone; then it may be run again. A refusal that wrote
  /// nothing is not an error here: the call keeps it for its caller.
  [[nodiscard]] virtual Result<void> run() = 0;
  /// It is durable: may the caller be told? False: it has more to do, and is run again behind what waits.
  [[nodiscard]] virtual bool is_done() { return true; }
  /// Tells the caller: once, and last. `failed`: why it was not done; null if it was.
  virtual void tell(const Error* failed) = 0;
  /// It will not be run (again): what it holds for that can go.
  virtual void forget() {}

 private:
  Kind kind_;
  std::size_t weight_;
};

class GroupCommit {
 public:
  /// Runs work in one transaction, which is durable when this returns a value, and undone when it does not.
  using Transaction = std::function<Result<void>(const std::function<Result<void>()>& work)>;

  /// What may wait. Appends beyond it are refused (store_full), all else beyond twice as much.
  struct Bounds {
    std::size_t calls = 16'384;
    std::size_t bytes = 64U << 20U;
  };

  GroupCommit(Transaction transaction, Bounds bounds);
  /// Does and tells all that waits. Calls that come meanwhile are refused.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// From any thread. Returns at once; a refused call is told so in its turn.
  void put(std::unique_ptr<Call> call);

  [[nodiscard]] std::size_t waiting() const;    ///< calls that were put and not told yet
  [[nodiscard]] std::uint64_t commits() const;  ///< transactions that wrote, since the start

 private:
  struct Entry {
    std::unique_ptr<Call> call;
    std::optional<Error> failed{};
    bool refused = false;  ///< is not run
  };
  using Group = std::vector<Entry>;

  void work();
  [[nodiscard]] Group take();
  void run(Group& group);
  void run_alone(Group& group);
  void tell(Group& group);
  [[nodiscard]] std::optional<Error> refusal(const Call& call) const;  // with the mutex

  const Transaction transaction_;
  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> waiting_;
  std::size_t calls_ = 0;  ///< that wait or are in work
  std::size_t bytes_ = 0;
  std::uint64_t commits_ = 0;
  bool idle_ = false;  ///< the thread waits to be woken
  bool ending_ = false;
  std::thread thread_;  ///< last: it uses the others
};

}  // namespace mayfly::events
