// What the store's callers were told holds, whatever the disk does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "events/store_test_support.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::events {
namespace {

using store::FaultyVfs;
using testing::ElementsAre;
using testing::SizeIs;

/// A store on a disk that fails when it is told to.
class FaultTest : public StoreTest {
 protected:
  [[nodiscard]] AskedStore open_faulty(const std::filesystem::path& path) const {
    auto faulty = options();
    faulty.file = path;
    faulty.vfs = FaultyVfs::kName;
    return AskedStore::open(faulty);
  }
  /// What a new process finds after the power went. The connection that was is left as it is: to close it
  /// would write. The copy has none of its shared memory.
  [[nodiscard]] AskedStore after_power_cut(const std::filesystem::path& path) {
    disk_.power_cut();
    const auto copy = folder_.path() / "copy.db";
    for (const char* part : {"", "-wal", "-shm"}) {
      const auto to = copy.string() + part;
      std::filesystem::remove(to);
      const auto from = path.string() + part;
      if (part != std::string("-shm") && std::filesystem::exists(from)) std::filesystem::copy_file(from, to);
    }
    EXPECT_EQ(checked(copy), "ok");
    auto copied = options();
    copied.file = copy;
    return AskedStore::open(copied);
  }
  static std::string checked(const std::filesystem::path& path) {
    auto database = store::Database::open(path);
    if (!database) return database.error().message;
    std::string result;
    auto read = database->query("PRAGMA integrity_check", [&](const auto& row) { result += row.text(0); });
    return read ? result : read.error().message;
  }

  FaultyVfs disk_;
};

template <class T>
auto code_of(const Result<T>& result) {
  return result ? std::error_code() : result.error().code;
}

TEST_F(FaultTest, ADiskThatIsFullRefusesUntilThereIsSpace) {
  auto store = open_faulty(file());
  const auto stream = store.stream().id;
  const auto queue = store.queue("t>f", stream).id;
  const auto first = store.append(stream, "first");
  Position expected = 1;
  for (int writes = 0; writes < 4; ++writes) {  // an append writes four times: frames have a head and a page
    disk_.fail_writes_after(writes);
    const bool accepted = store.try_append(event_with(stream, "more")).has_value();
    if (accepted) ++expected;
    disk_.fail_writes_after(0);
    EXPECT_EQ(code_of(store.try_append(event_with(stream, "lost"))), EventsErrc::store_full) << writes;
    const auto recorded = ask<std::vector<EventPtr>>(
        [&](auto then) { store->record({outcome(queue, *first, State::dead)}, {{queue, 1}}, then); });
    EXPECT_EQ(code_of(recorded), EventsErrc::store_full);
    // What is there can be read, and what failed is nowhere.
    EXPECT_THAT(store.read(stream), SizeIs(expected));
    EXPECT_EQ(store.find(id_of(*first, queue))->state, State::queued);
    EXPECT_EQ(store.count(queue)[State::dead], 0U);
    EXPECT_EQ(store.stream().newest, expected);
    disk_.fail_writes_after(-1);
    EXPECT_EQ(store.append(stream, "again")->position, ++expected);
  }
  store.record({outcome(queue, *first, State::dead)}, {{queue, 1}});
  store.close();
  EXPECT_EQ(checked(file()), "ok");
  store = open();
  EXPECT_THAT(store.read(stream), SizeIs(expected));
  EXPECT_EQ(store.count(queue)[State::dead], 1U);
}

TEST_F(FaultTest, AFailedSyncIsTheCallersErrorAndNothingIsAccepted) {
  auto store = open_faulty(file());
  const auto stream = store.stream().id;
  store.append(stream, "kept");
  disk_.fail_syncs(true);
  EXPECT_EQ(code_of(store.try_append(event_with(stream, "lost"))), EventsErrc::store_failed);
  EXPECT_THAT(bodies_of(store.read(stream)), ElementsAre("kept"));
  disk_.fail_syncs(false);
  EXPECT_EQ(store.append(stream, "next")->position, 2U);
  auto found = after_power_cut(file());
  EXPECT_THAT(bodies_of(found.read(stream)), ElementsAre("kept", "next"));
}

/// Events from several threads, each on the heels of the one before, until the disk writes no more.
class Publishers {
 public:
  Publishers(EventStore& store, StreamId stream, QueueId queue, std::string body)
      : store_(store), stream_(stream), queue_(queue), body_(std::move(body)) {}

  /// Each of `threads` publishes `count` events, and records that of every other one.
  void run(int threads, int count) {
    left_ = threads * count;
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) {
      all.emplace_back([&] {
        for (int j = 0; j < count; ++j) publish();
      });
    }
    for (auto& thread : all) thread.join();
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return left_ == 0; }));
  }
  std::map<Position, std::uint64_t> accepted;  ///< and their checks
  std::vector<Position> recorded;
  int failed = 0;

 private:
  void publish() {
    store_.append({event_with(stream_, body_)}, [this](Result<std::vector<Accepted>> result) {
      const std::lock_guard lock(mutex_);
      if (!result) {
        ++failed;
        return done();
      }
      const auto& event = *result->front().event;
      accepted[event.position] = event.check;
      if (event.position % 2 == 0) return done();
      Outcome outcome{
          .queue = queue_, .stream = stream_, .position = event.position, .state = State::succeeded};
      store_.record({outcome}, {}, [this, position = event.position](Result<std::vector<EventPtr>> written) {
        const std::lock_guard once_more(mutex_);
        if (written)
          recorded.push_back(position);
        else
          ++failed;
        done();
      });
    });
  }
  void done() {
    if (--left_ == 0) changed_.notify_all();
  }

  EventStore& store_;
  StreamId stream_;
  QueueId queue_;
  std::string body_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int left_ = 0;
};

/// The disk stops after so many writes, then the power goes. True: it did not stop before the end.
bool stop_after(int writes, FaultyVfs& disk, AskedStore& store, const auto& after_power_cut,
                std::size_t body) {
  const auto stream = store.stream().id;
  const auto queue = store.queue("t>f", stream).id;
  disk.fail_writes_after(writes);
  Publishers publishers(*store.operator->(), stream, queue, std::string(body, 'x'));
  publishers.run(3, 20);
  disk.fail_writes_after(-1);
  auto found = after_power_cut();
  std::map<Position, std::uint64_t> kept;
  Position after = 0;
  for (;;) {
    const auto some = found.read(stream, after);
    for (const auto& event : some) kept[event->position] = event->check;
    if (some.empty()) break;
    after = some.back()->position;
  }
  EXPECT_EQ(kept, publishers.accepted) << "after " << writes << " writes";
  EXPECT_THAT(found.with_rows(queue, 0, UINT64_MAX), testing::UnorderedElementsAreArray(publishers.recorded));
  EXPECT_EQ(found.count(queue)[State::succeeded], publishers.recorded.size());
  EXPECT_EQ(found.append(stream, "next")->position, publishers.accepted.size() + 1);
  return publishers.failed == 0;
}

TEST_F(FaultTest, APowerCutAtAnyWriteTakesNothingThatWasAcknowledged) {
  for (int writes = 0;; ++writes) {
    const auto path = folder_.path() / (std::to_string(writes) + ".db");
    auto store = open_faulty(path);
    if (stop_after(writes, disk_, store, [&] { return after_power_cut(path); }, 50)) break;
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(FaultTest, APowerCutWhileTheLogIsMovedIntoTheFileTakesNothingThatWasAcknowledged) {
  // 6 MB: the log is moved into the file at every 4 MB.
  for (int writes = 1'500;; writes += 397) {
    const auto path = folder_.path() / (std::to_string(writes) + ".db");
    auto store = open_faulty(path);
    if (stop_after(writes, disk_, store, [&] { return after_power_cut(path); }, 100'000)) break;
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(FaultTest, ADiskThatLiesLosesTheNewestEventsAndTheFileIsWhole) {
  auto store = open_faulty(file());
  const auto stream = store.stream().id;
  std::vector<std::string> appended;
  for (int i = 0; i < 100; ++i) {
    if (i == 10) disk_.ignore_syncs(true);
    appended.push_back(std::string(100'000, 'x') + std::to_string(i));
    store.append(stream, appended.back());
  }
  auto found = after_power_cut(file());
  const auto kept = bodies_of(found.read(stream, 0, {.count = 1'000, .bytes = UINT32_MAX}));
  ASSERT_GE(kept.size(), 10U);
  ASSERT_LT(kept.size(), 100U);
  appended.resize(kept.size());
  EXPECT_EQ(kept, appended);
  EXPECT_EQ(found.append(stream, "next")->position, kept.size() + 1);
}

}  // namespace
}  // namespace mayfly::events
