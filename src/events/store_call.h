// Calls of the store as GroupCommit runs them: work that gives a value, and whom to tell it.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "events/group_commit.h"
#include "events/refusal.h"
#include "events/store.h"
#include "store/database.h"

namespace mayfly::events {

/// What a caller is told of a failure: of the event store's errors, whatever module it comes from.
[[nodiscard]] inline Error for_caller(const Error& error) {
  if (error.code.category() == make_error_code(EventsErrc::store_failed).category()) return error;
  const bool full = error.code == store::StoreErrc::full;
  auto told = error;
  told.code = full ? EventsErrc::store_full : EventsErrc::store_failed;
  return told;
}

/// Work is `Result<T>()`.
template <class T, class Work>
class StoreCall final : public Call {
 public:
  StoreCall(Kind kind, std::size_t weight, Work work, Then<T> then)
      : Call(kind, weight), work_(std::move(work)), then_(std::move(then)) {}

  Result<void> run() override {
    try {
      result_.emplace((*work_)());
    } catch (const std::exception& thrown) {
      return fail(EventsErrc::store_failed, thrown.what());
    }
    if (*result_ || is_refusal(result_->error())) return {};
    return std::unexpected(result_->error());
  }
  void tell(const Error* failed) override {
    if (failed != nullptr) return then_(std::unexpected(for_caller(*failed)));
    then_(std::move(*result_));
  }
  void forget() override { work_.reset(); }

 private:
  std::optional<Work> work_;
  std::optional<Result<T>> result_;
  Then<T> then_;
};

/// Work that is done a piece at a time: `Result<std::size_t>(std::size_t limit)` gives how much it did; less
/// than the limit: it is done.
template <class T, class Work>
class SlicedCall final : public Call {
 public:
  /// Rows at once: some milliseconds.
  static constexpr std::size_t kSlice = 1'000;

  SlicedCall(Work work, Then<T> then)
      : Call(Kind::write, 0), work_(std::move(work)), then_(std::move(then)) {}

  Result<void> run() override {
    auto done = work_(kSlice);
    if (!done) return std::unexpected(std::move(done.error()));
    slice_ = *done;
    return {};
  }
  bool is_done() override {
    total_ += slice_;
    return slice_ < kSlice;
  }
  void tell(const Error* failed) override {
    if (failed != nullptr) return then_(std::unexpected(for_caller(*failed)));
    if constexpr (std::is_void_v<T>)
      then_({});
    else
      then_(total_);
  }

 private:
  Work work_;
  std::size_t slice_ = 0;
  std::size_t total_ = 0;
  Then<T> then_;
};

}  // namespace mayfly::events
