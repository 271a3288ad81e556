// A run while a decision is made about it: what its rules are. The steps of each kind are in
// execution_steps.cpp, fan-outs in execution_fan_out.cpp, how it ends in execution_end.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/transaction.h"
#include "pipelines/definition.h"
#include "pipelines/run.h"
#include "pipelines/run_values.h"

namespace mayfly::pipelines {

inline constexpr std::size_t kMaxItems = 10'000;  ///< elements of a fan-out
/// Bytes of calls that one decision begins, so that it is short; the others begin when these end.
inline constexpr std::size_t kMaxAtOnce = std::size_t{8} << 20U;
inline constexpr std::size_t kMaxExecuted = 1'000;  ///< steps executed in a run, undos not counted

/// How a delivery has ended, once and for all: an answer, or why there is none.
struct CallEnd {
  std::optional<std::string> body{};  ///< of the answer; nothing: it failed
  Failure failure{};
};

/// Deliveries of the step that was being executed when its run was cancelled.
struct Open {
  std::vector<events::DeliveryId> deliveries{};
  bool may_be_done = false;  ///< what they do can be undone, and is once it is known that it was done
};

/// For the time of one decision. Nothing is written before the first member that says so: what refuses looks
/// first. Errors are the transaction's.
class Execution {
 public:
  /// Null: there is no such run (any more).
  [[nodiscard]] static Result<std::unique_ptr<Execution>> load(events::Transaction& transaction, RunId run);
  Execution(events::Transaction& transaction, RunId run, Definition definition, Head head);
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  [[nodiscard]] const Head& head() const { return head_; }
  [[nodiscard]] const Definition& definition() const { return definition_; }
  /// Null: there is none.
  [[nodiscard]] const Entry* entry(std::size_t number) const;
  [[nodiscard]] const Step* step_of(const Entry& entry) const { return definition_.find(entry.step); }
  /// The event that a step waits for just now, with its entry.
  [[nodiscard]] std::optional<std::size_t> waiting_for(std::string_view event) const;

  // Each of these writes, goes on as far as the run can without waiting, and writes the head.
  /// Executes a step, or ends the run, and what follows.
  [[nodiscard]] Result<void> go_to(std::string target);
  /// An entry's only call has ended.
  [[nodiscard]] Result<void> end_call(std::size_t number, const CallEnd& end);
  /// A call of a fan-out has ended. Does nothing if it had before.
  [[nodiscard]] Result<void> end_call(std::size_t number, std::size_t index, const CallEnd& end);
  [[nodiscard]] Result<void> end_undo(std::size_t number, const CallEnd& end);
  /// What an entry waits for has come: an event's value, or (nothing) a time.
  [[nodiscard]] Result<void> wake(std::size_t number, std::optional<std::string> value);
  /// The event that an entry waits for has not come in time.
  [[nodiscard]] Result<void> time_out(std::size_t number);
  /// It fails before its first step.
  [[nodiscard]] Result<void> fail_at_start(Failure failure);
  /// Gives what is of no use any more.
  [[nodiscard]] Result<Open> cancel();
  /// Executes once more the step that failed.
  [[nodiscard]] Result<void> retry();

 private:
  /// Where the run goes on at once; nothing: it waits, or has ended.
  using Next = Result<std::optional<std::string>>;

  [[nodiscard]] Result<void> go_on(Next next);
  [[nodiscard]] Next enter(const std::string& target);
  [[nodiscard]] Next enter_call(const Step& step);
  [[nodiscard]] Next enter_fan_out(const Step& step);
  [[nodiscard]] Next enter_await(const Step& step);
  [[nodiscard]] Next enter_branch(const Step& step);
  [[nodiscard]] Next enter_wait(const Step& step);
  [[nodiscard]] Next succeed(std::size_t number, const std::optional<std::string>& output);
  [[nodiscard]] Next fail_step(std::size_t number, Failure failure);

  std::size_t begin_entry(const Step& step);
  /// A value as one that the run may keep, and has kept from now on.
  [[nodiscard]] std::expected<std::string, Failure> counted(std::expected<std::string, Failure> value);
  /// A step's only value is there, or why there is none.
  [[nodiscard]] Next end_with(std::size_t number, std::expected<std::string, Failure> value);
  [[nodiscard]] Result<void> begin_waiting(std::size_t number, std::chrono::milliseconds time);
  /// Has an event accepted; gives the id of its delivery.
  [[nodiscard]] Result<std::string> append(events::NewEvent event);
  [[nodiscard]] Result<std::expected<std::string, Failure>> input_of(const Step& step);

  [[nodiscard]] Result<void> begin_calls(std::size_t number);
  /// Gives the bytes of its input.
  [[nodiscard]] Result<std::size_t> begin_one_call(std::size_t number, const Step& step);
  [[nodiscard]] Result<void> note_call(std::size_t number, std::size_t index, const CallEnd& end);
  [[nodiscard]] Next go_on_with_calls(std::size_t number);
  [[nodiscard]] Next join(std::size_t number);

  [[nodiscard]] bool is_cancelled() const { return head_.state == RunState::compensating; }
  [[nodiscard]] Result<void> end_cancelled(std::size_t number, const std::optional<std::string>& output);
  [[nodiscard]] Result<void> compensate(RunState ends);
  [[nodiscard]] Result<void> undo_next();
  [[nodiscard]] Result<void> undo(std::size_t number, const Step& step);
  [[nodiscard]] Result<std::string> undo_input(std::size_t number);
  [[nodiscard]] Result<std::string> partial_output(std::size_t number);
  void finish(RunState state);
  [[nodiscard]] Result<void> save();
  [[nodiscard]] Result<void> expire(WallTime when);

  [[nodiscard]] std::int64_t now() const { return to_millis(transaction_.now()); }

  events::Transaction& transaction_;
  const RunId run_;
  const Definition definition_;
  Head head_;
  RunValues values_;
};

}  // namespace mayfly::pipelines
