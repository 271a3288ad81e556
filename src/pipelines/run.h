// What has become of a run: its head, which is one document. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/value.h"

namespace mayfly::pipelines {

enum class RunState { running, compensating, succeeded, failed, cancelled };
[[nodiscard]] std::string_view name_of(RunState state);
[[nodiscard]] constexpr bool has_ended(RunState state) { return state >= RunState::succeeded; }

enum class EntryState { running, waiting, succeeded, failed, cancelled };
[[nodiscard]] std::string_view name_of(EntryState state);
[[nodiscard]] constexpr bool is_open(EntryState state) { return state <= EntryState::waiting; }

/// Where something failed, and why.
struct StepFailure {
  std::string step;  ///< "": before the first one
  Failure failure;
  bool operator==(const StepFailure&) const = default;
};
/// {"step", "type", "message"}
[[nodiscard]] nlohmann::json to_json(const StepFailure& error);

/// One execution of a step, or of its undo. Times are ms since 1970; 0: not yet.
struct Entry {
  std::string step;
  EntryState state = EntryState::running;
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::int64_t until = 0;  ///< (waiting) when it is woken
  std::string delivery{};  ///< id of that of its call, or of its timer
  bool output = false;     ///< it gave something that paths can lead to; waits and branches do not
  std::optional<Failure> failure{};
  std::optional<std::size_t> undo_of{};  ///< the entry that it undoes
  std::optional<std::size_t> items{};    ///< of a fan-out: calls in all
  std::size_t next = 0;                  ///< … that were begun,
  std::size_t open = 0;                  ///< … that have not ended,
  std::size_t done = 0;                  ///< … that succeeded; of another step 1 if its call has,
  std::size_t bytes = 0;                 ///< … and what these gave
  bool operator==(const Entry&) const = default;
};

struct Head {
  RunState state = RunState::running;
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::int64_t revision = 0;            ///< of its definition
  std::size_t bytes = 0;                ///< that its steps were given, and have given
  std::optional<StepFailure> error{};   ///< why it does not succeed
  std::optional<StepFailure> caught{};  ///< what on_error went on from last
  RunState ends = RunState::failed;     ///< what it will be when all is undone
  std::optional<bool>
      compensated{};           ///< (ended, not succeeded) something was undone, and all undos succeeded
  std::vector<Entry> trace{};  ///< in the order in which they began: steps, then undos
  bool operator==(const Head&) const = default;
};
[[nodiscard]] std::string to_json(const Head& head);
/// Nothing: this is not what to_json() writes.
[[nodiscard]] std::optional<Head> head_from_json(std::string_view json);

/// The last entry of a step, as opposed to undos; nothing if there is none.
[[nodiscard]] std::optional<std::size_t> last_step(const Head& head);

}  // namespace mayfly::pipelines
