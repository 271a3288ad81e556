// Ledger: the thread that keeps usage in DIR/usage.db, and reads it for others.
//
// Shards hand it what was used since the last time, about once a second each; it writes all that waits in one
// transaction. When the file cannot be written it tries again, and takes no more than a bound meanwhile:
// shards then keep their sums and add to them. So nothing is lost while the daemon runs, and at its end only
// if the file cannot be written then either; a daemon that is killed loses what was not handed over yet.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/clock_jumps.h"
#include "base/result.h"
#include "meter/usage_tables.h"

namespace mayfly::meter {

struct LedgerOptions {
  std::filesystem::path file;
  std::string vfs{};             ///< of SQLite; empty: the system's
  const Clock* clock = nullptr;  ///< outlives the ledger; null: the system's
  /// Hears when writing begins to fail, and (null) when it works again. Called on the ledger's thread.
  std::function<void(const Error*)> on_trouble{};
  /// Hears of each group that was written; at the start, and every kTend, of none. Called on the ledger's
  /// thread.
  std::function<void(UsageTables&, std::span<const UsageBatch>)> on_written{};
};

class Ledger {
 public:
  /// Batches that may wait; and reads.
  static constexpr std::size_t kMostBatches = 64;
  static constexpr std::size_t kMostReads = 64;
  static constexpr std::chrono::seconds kTend{10};

  [[nodiscard]] static Result<std::unique_ptr<Ledger>> open(LedgerOptions options);
  /// Writes all that waits. Reads that wait are answered.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Takes a batch, unless too many wait: then it is left as it is. Any thread; does not wait.
  [[nodiscard]] bool take(UsageBatch& batch);
  /// The same without the bound: a shard's last.
  void take_last(UsageBatch batch);

  /// What they call is called once, on the ledger's thread, when all that was taken before is written (or
  /// cannot be). Any thread. Errors: StoreErrc; busy: too many reads wait already.
  void sums(UsageQuery query, std::function<void(Result<std::vector<UsageRow>>)> then);
  void records(RecordQuery query, std::function<void(Result<std::vector<UsageBatch::Single>>)> then);

 private:
  using Read = std::function<void(UsageTables*)>;  // null: it is not done, too many wait

  Ledger(UsageTables tables, LedgerOptions options);
  void work();
  void write(std::deque<UsageBatch>& batches);
  void tell_trouble(const Result<void>& written);
  void expire();
  void read(Read read);

  UsageTables tables_;
  LedgerOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UsageBatch> batches_;
  std::size_t in_work_ = 0;  // batches that the thread has
  std::deque<Read> reads_;
  bool ending_ = false;
  bool troubled_ = false;  // the thread's own, as are those below
  ClockJumps jumps_;
  MonotonicTime expired_at_{};
  std::thread thread_;  // last: it uses the others
};

}  // namespace mayfly::meter
