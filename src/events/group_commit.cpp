#include "events/group_commit.h"

#include <algorithm>
#include <utility>

#include "base/together.h"
#include "events/store.h"
#include "store/database.h"

namespace mayfly::events {
namespace {

// A group waits for all of itself: these bound how long, and what the answers of its reads hold.
constexpr std::size_t kGroupCalls = 4'096;
constexpr std::size_t kGroupBytes = 16U << 20U;
/// What a read's answer counts for in its group: it is not known before, and mostly little.
constexpr std::size_t kAnswerBytes = 256U << 10U;

bool writes(const Call& call) { return call.kind() != Call::Kind::read; }

std::size_t share_of_group(const Call& call) { return writes(call) ? call.weight() : kAnswerBytes; }

/// The fault of none of the calls.
bool is_of_the_disk(const Error& error) {
  return error.code == store::StoreErrc::io || error.code == store::StoreErrc::busy;
}

}  // namespace

GroupCommit::GroupCommit(Transaction transaction, Bounds bounds)
    : transaction_(std::move(transaction)), bounds_(bounds), thread_([this] { work(); }) {}

GroupCommit::~GroupCommit() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

std::optional<Error> GroupCommit::refusal(const Call& call) const {
  if (ending_) return Error{EventsErrc::store_failed, "the event store is being closed", {}};
  const std::size_t factor = call.kind() == Call::Kind::append ? 1 : 2;
  if (calls_ < factor * bounds_.calls && bytes_ <= factor * bounds_.bytes) return std::nullopt;
  return Error{EventsErrc::store_full, "too much waits to be written by the event store", {}};
}

void GroupCommit::put(std::unique_ptr<Call> call) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    Entry entry{std::move(call)};
    entry.failed = refusal(*entry.call);
    entry.refused = entry.failed.has_value();
    // One that is refused waits for its turn to be told, without what it held.
    if (entry.refused) entry.call->forget();
    ++calls_;
    if (!entry.refused) bytes_ += entry.call->weight();
    waiting_.push_back(std::move(entry));
    wake = std::exchange(idle_, false);
  }
  if (wake) changed_.notify_one();
}

GroupCommit::Group GroupCommit::take() {
  std::unique_lock lock(mutex_);
  while (waiting_.empty() && !ending_) {
    idle_ = true;
    changed_.wait(lock);
  }
  idle_ = false;
  Group group;
  std::size_t bytes = 0;
  while (!waiting_.empty() && group.size() < kGroupCalls) {
    const auto& next = waiting_.front();
    bytes += next.refused ? 0 : share_of_group(*next.call);
    if (!group.empty() && bytes > kGroupBytes) break;
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return group;
}

void GroupCommit::work() {
  for (;;) {
    auto group = take();
    if (group.empty()) return;  // only at the end
    run(group);
    tell(group);
  }
}

void GroupCommit::run(Group& group) {
  const auto all = [&]() -> Result<void> {
    for (auto& entry : group) {
      if (entry.refused) continue;
      if (auto done = entry.call->run(); !done) return done;
    }
    return {};
  };
  const bool any_writes =
      std::ranges::any_of(group, [](const Entry& entry) { return !entry.refused && writes(*entry.call); });
  if (!any_writes) return run_alone(group);
  if (transaction_(all)) {
    const std::lock_guard lock(mutex_);
    ++commits_;
    return;
  }
  run_alone(group);  // one of them failed: the others are not to suffer from it
}

void GroupCommit::run_alone(Group& group) {
  std::optional<Error> broken;
  for (auto& entry : group) {
    if (entry.refused) continue;
    auto& call = *entry.call;
    if (!writes(call)) {
      if (auto done = call.run(); !done) entry.failed = std::move(done.error());
      continue;
    }
    // A disk that fails one after another fails the rest as well; each of its errors may take seconds to
    // come.
    if (broken) {
      entry.failed = broken;
      continue;
    }
    if (auto done = transaction_([&] { return call.run(); }); !done) {
      entry.failed = std::move(done.error());
      if (is_of_the_disk(*entry.failed)) broken = entry.failed;
      continue;
    }
    const std::lock_guard lock(mutex_);
    ++commits_;
  }
}

void GroupCommit::tell(Group& group) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& entry : group) {
      if (!entry.failed && !entry.call->is_done() && !ending_) {
        waiting_.push_back(std::move(entry));
        continue;
      }
      --calls_;
      if (!entry.refused) bytes_ -= entry.call->weight();
    }
  }
  // Who is told mostly goes on in another thread: that is woken once, and finds all that is for it.
  const Together together;
  for (auto& entry : group) {
    if (entry.call) entry.call->tell(entry.failed ? &*entry.failed : nullptr);
    entry.call.reset();
  }
}

std::size_t GroupCommit::waiting() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::uint64_t GroupCommit::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

}  // namespace mayfly::events
