#include "meter/ledger.h"

#include <utility>

namespace mayfly::meter {
namespace {

const SystemClock kSystemClock;
/// After a write that failed.
constexpr milliseconds kRetry{1'000};
constexpr std::chrono::minutes kExpireInterval{10};

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(LedgerOptions options) {
  auto tables = UsageTables::open(options.file, options.vfs);
  if (!tables) return propagate(tables);
  if (options.clock == nullptr) options.clock = &kSystemClock;
  return std::unique_ptr<Ledger>(new Ledger(std::move(*tables), std::move(options)));
}

Ledger::Ledger(UsageTables tables, LedgerOptions options)
    : tables_(std::move(tables)), options_(std::move(options)), expired_at_(options_.clock->now()) {
  (void)jumps_.is_doubtful(*options_.clock);  // what comes is compared with now
  thread_ = std::thread([this] { work(); });
}

Ledger::~Ledger() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool Ledger::take(UsageBatch& batch) {
  {
    const std::lock_guard lock(mutex_);
    if (batches_.size() + in_work_ >= kMostBatches) return false;
    batches_.push_back(std::move(batch));
  }
  changed_.notify_one();
  return true;
}

void Ledger::take_last(UsageBatch batch) {
  {
    const std::lock_guard lock(mutex_);
    batches_.push_back(std::move(batch));
  }
  changed_.notify_one();
}

void Ledger::read(Read read) {
  {
    const std::lock_guard lock(mutex_);
    if (reads_.size() < kMostReads) {
      reads_.push_back(std::move(read));
      read = nullptr;
    }
  }
  if (read) return read(nullptr);
  changed_.notify_one();
}

void Ledger::sums(UsageQuery query, std::function<void(Result<std::vector<UsageRow>>)> then) {
  read([query = std::move(query), then = std::move(then)](UsageTables* tables) {
    if (tables == nullptr) return then(fail(store::StoreErrc::busy, "too many questions about usage wait"));
    then(tables->sums(query));
  });
}

void Ledger::records(RecordQuery query, std::function<void(Result<std::vector<UsageBatch::Single>>)> then) {
  read([query = std::move(query), then = std::move(then)](UsageTables* tables) {
    if (tables == nullptr) return then(fail(store::StoreErrc::busy, "too many questions about usage wait"));
    then(tables->records(query));
  });
}

void Ledger::work() {
  std::deque<UsageBatch> mine;
  if (options_.on_written) options_.on_written(tables_, {});
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto has_work = [this] { return ending_ || !batches_.empty() || !reads_.empty(); };
    if (troubled_)  // whatever comes, the file is not tried all the time
      changed_.wait_for(lock, kRetry, [this] { return ending_ || !reads_.empty(); });
    else
      changed_.wait_for(lock, kTend, has_work);
    const bool last = ending_;
    mine = std::exchange(batches_, {});
    in_work_ = mine.size();
    const auto reads = std::exchange(reads_, {});
    lock.unlock();
    write(mine);
    for (const auto& one : reads) one(&tables_);
    expire();
    lock.lock();
    in_work_ = 0;
    // What could not be written goes first the next time.
    batches_.insert(batches_.begin(), std::make_move_iterator(mine.begin()),
                    std::make_move_iterator(mine.end()));
    if (last && (troubled_ || (batches_.empty() && reads_.empty()))) return;
  }
}

void Ledger::write(std::deque<UsageBatch>& batches) {
  if (batches.empty()) {
    if (options_.on_written) options_.on_written(tables_, {});
    return;
  }
  const std::vector<UsageBatch> all(std::make_move_iterator(batches.begin()),
                                    std::make_move_iterator(batches.end()));
  batches.clear();
  const auto written = tables_.add(all);
  tell_trouble(written);
  if (!written)
    batches.assign(all.begin(), all.end());
  else if (options_.on_written)
    options_.on_written(tables_, all);
}

void Ledger::tell_trouble(const Result<void>& written) {
  if (troubled_ == !written) return;
  troubled_ = !written;
  if (options_.on_trouble) options_.on_trouble(written ? nullptr : &written.error());
}

void Ledger::expire() {
  const auto now = options_.clock->now();
  const bool doubtful = jumps_.is_doubtful(*options_.clock);
  if (now - expired_at_ < kExpireInterval || doubtful) return;
  expired_at_ = now;
  (void)tables_.expire(to_millis(options_.clock->wall()));  // tried again later
}

}  // namespace mayfly::meter
