#include "events/store_call.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace mayfly::events {
namespace {

template <class Work>
auto call(Work work, Result<int>& told) {
  return StoreCall<int, Work>(Call::Kind::write, 0, std::move(work),
                              [&](Result<int> result) { told = result; });
}

TEST(StoreCall, TellsWhatItsWorkGaveLast) {
  Result<int> told = 0;
  auto counted = call([n = 0]() mutable -> Result<int> { return ++n; }, told);
  ASSERT_TRUE(counted.run());
  ASSERT_TRUE(counted.run());  // its group was undone meanwhile
  counted.tell(nullptr);
  EXPECT_EQ(told, 2);
}

TEST(StoreCall, ARefusalUndoesNoGroup) {
  for (const auto code :
       {EventsErrc::unknown_delivery, EventsErrc::unknown_queue, EventsErrc::idempotency_mismatch,
        EventsErrc::unknown_pipeline, EventsErrc::unknown_run, EventsErrc::run_ended, EventsErrc::not_awaited,
        EventsErrc::bad_value}) {
    Result<int> told = 0;
    auto refused = call([&]() -> Result<int> { return fail(code, "no"); }, told);
    EXPECT_TRUE(refused.run());
    refused.tell(nullptr);
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, code);
  }
}

TEST(StoreCall, AFailureIsToldAsOneOfTheEventStore) {
  const auto told_of = [](auto code) {
    Result<int> told = 0;
    auto failing = call([&]() -> Result<int> { return fail(code, "it broke"); }, told);
    const auto failed = failing.run();
    EXPECT_FALSE(failed);
    failing.tell(&failed.error());
    EXPECT_EQ(told.error().message, "it broke");
    return told.error().code;
  };
  EXPECT_EQ(told_of(store::StoreErrc::full), EventsErrc::store_full);
  EXPECT_EQ(told_of(store::StoreErrc::io), EventsErrc::store_failed);
  EXPECT_EQ(told_of(store::StoreErrc::constraint), EventsErrc::store_failed);
  EXPECT_EQ(told_of(EventsErrc::store_full), EventsErrc::store_full);
}

TEST(StoreCall, AnExceptionIsAFailureOfThisCall) {
  Result<int> told = 0;
  auto throwing = call([]() -> Result<int> { throw std::runtime_error("thrown"); }, told);
  const auto failed = throwing.run();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "thrown");
}

}  // namespace
}  // namespace mayfly::events
