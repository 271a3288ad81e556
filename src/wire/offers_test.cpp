#include "wire/offers.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "wire/frame.h"

namespace mayfly::wire {
namespace {

constexpr std::uint32_t stream_of(std::uint32_t slot, std::uint32_t generation) {
  return slot | generation << kSlotBits;
}

struct OffersTest : testing::Test {
  OffersTest()
      : made(Offers::create().value()), daemon(made.first), instance(Offers::open(made.second).value()) {}
  std::pair<Offers, Fd> made;
  Offers& daemon;
  Offers instance;
};

TEST_F(OffersTest, WhatIsClaimedCannotBeTakenBack) {
  constexpr auto kStream = stream_of(3, 1);
  daemon.offer(kStream);
  EXPECT_TRUE(daemon.offered(kStream));
  EXPECT_EQ(daemon.begun_at(kStream), 0U);
  EXPECT_TRUE(instance.claim(kStream, 42));
  EXPECT_FALSE(daemon.offered(kStream));
  EXPECT_FALSE(daemon.take_back(kStream));
  EXPECT_FALSE(instance.claim(kStream, 43)) << "it begins once";
  EXPECT_EQ(daemon.begun_at(kStream), 42U);
}

TEST_F(OffersTest, WhatIsTakenBackCannotBeClaimed) {
  constexpr auto kStream = stream_of(3, 1);
  daemon.offer(kStream);
  EXPECT_TRUE(daemon.take_back(kStream));
  EXPECT_FALSE(daemon.take_back(kStream));
  EXPECT_FALSE(instance.claim(kStream, 42));
  EXPECT_EQ(daemon.begun_at(kStream), 0U);
}

TEST_F(OffersTest, ALateClaimDoesNotMeetTheNextOneOfItsSlot) {
  constexpr auto kOld = stream_of(3, 1);
  constexpr auto kNew = stream_of(3, 2);
  daemon.offer(kOld);
  ASSERT_TRUE(daemon.take_back(kOld));
  daemon.offer(kNew);
  EXPECT_FALSE(instance.claim(kOld, 1));
  EXPECT_FALSE(daemon.take_back(kOld));
  EXPECT_TRUE(instance.claim(kNew, 2));
}

TEST_F(OffersTest, StreamsThatThePageHasNoSlotForAreNobodys) {
  for (const auto stream : {std::uint32_t{0}, stream_of(kMaxOffers, 1), stream_of(kMaxStreams - 1, 1)}) {
    daemon.offer(stream);
    EXPECT_FALSE(daemon.offered(stream));
    EXPECT_FALSE(daemon.take_back(stream));
    EXPECT_FALSE(instance.claim(stream, 1));
  }
  constexpr auto kLast = stream_of(kMaxOffers - 1, 1);
  daemon.offer(kLast);
  EXPECT_TRUE(instance.claim(kLast, 1));
}

TEST_F(OffersTest, AnInstanceCannotShrinkThePage) { EXPECT_NE(::ftruncate(made.second.get(), 0), 0); }

TEST_F(OffersTest, APageOutlivesTheInstanceThatDied) {
  const auto begun = stream_of(0, 1);
  const auto waits = stream_of(1, 1);
  daemon.offer(begun);
  daemon.offer(waits);
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(instance.claim(begun, 7) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  EXPECT_FALSE(daemon.take_back(begun));
  EXPECT_EQ(daemon.begun_at(begun), 7U);
  EXPECT_TRUE(daemon.take_back(waits));
}

TEST_F(OffersTest, EachIsGotByExactlyOneSide) {
  constexpr std::uint32_t kRounds = 20'000;
  constexpr std::uint32_t kAtOnce = 4;
  std::atomic<std::uint32_t> offered{0};   // rounds that are on the page
  std::atomic<std::uint32_t> finished{0};  // rounds that the other side is through with
  std::vector<std::uint8_t> began(kRounds * kAtOnce);
  std::vector<std::uint8_t> returned(kRounds * kAtOnce);
  std::thread other([&] {
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      while (offered.load() <= round) std::this_thread::yield();
      for (std::uint32_t i = 0; i < kAtOnce; ++i)  // from the front
        began[round * kAtOnce + i] = instance.claim(stream_of(i, round + 1), 1);
      finished = round + 1;
    }
  });
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    for (std::uint32_t i = 0; i < kAtOnce; ++i) daemon.offer(stream_of(i, round + 1));
    offered = round + 1;
    for (std::uint32_t i = kAtOnce; i-- > 0;)  // from the back
      returned[round * kAtOnce + i] = daemon.take_back(stream_of(i, round + 1));
    while (finished.load() <= round) std::this_thread::yield();
  }
  other.join();
  for (std::size_t i = 0; i < began.size(); ++i) ASSERT_EQ(began[i] + returned[i], 1) << i;
}

}  // namespace
}  // namespace mayfly::wire
