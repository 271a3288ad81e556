// What a pipeline is: its steps, who may start runs of it, and what else does. Plain data, checked at deploy.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/trigger.h"

namespace mayfly::pipelines {

inline constexpr std::string_view kEnd = "end";  ///< as a target: the run has succeeded
inline constexpr std::size_t kMaxSteps = 100;
inline constexpr std::size_t kMaxDefinition = std::size_t{64} * 1024;  ///< bytes of JSON

/// Exactly one of `function`, `await`, `branch` and `wait` is there: that is its kind.
struct Step {
  enum class Kind { function, await, branch, wait };

  std::string name;  ///< [a-z][a-z0-9-]{0,63}, but not "end"; of one step alone
  Kind kind = Kind::function;
  std::string function{};               ///< "name" or "name@reference"
  std::string input{};                  ///< JSON text (input.h); "": what the step before gave
  std::string each{};                   ///< path to the list of which each element is a call; "": one call
  registry::DeliveryPolicy delivery{};  ///< of each call, and of the undo; concurrency: with `each` alone
  /// Of one attempt, 1 ms … 15 min; unset: the function's own. Of an `await` 1 s … 365 d; unset: 1 d.
  std::optional<std::chrono::milliseconds> timeout{};
  std::string undo{};                          ///< function; "": none
  std::string await{};                         ///< name of an event, like a step's
  std::string branch{};                        ///< path to the field
  std::map<std::string, std::string> cases{};  ///< the field's text → target
  std::string otherwise{};                     ///< (`default`) target if no case is it; "": the run fails
  std::chrono::milliseconds wait{0};           ///< 1 ms … 365 d
  std::string on_error{};                      ///< target; "": a failure is the run's
  std::string next{};                          ///< target; "": the next in the list
  bool operator==(const Step&) const = default;
};
[[nodiscard]] std::string_view name_of(Step::Kind kind);

enum class Access {
  key,       ///< who has a token or a key
  everyone,  ///< written "public"
};

struct Definition {
  std::string name;
  Access access = Access::key;                        ///< who may start runs
  std::chrono::milliseconds keep{14LL * 86'400'000};  ///< a run, after its end; 1 min … 90 d
  std::vector<registry::Trigger> on{};                ///< a run for each event or time
  std::vector<Step> steps{};                          ///< 1 … kMaxSteps; a run begins with the first
  bool operator==(const Definition&) const = default;

  /// Null: no step is called so.
  [[nodiscard]] const Step* find(std::string_view step) const;
  /// Where a run goes on behind a step that succeeded: a name, or kEnd.
  [[nodiscard]] std::string_view successor(const Step& step) const;
};

/// As functions' names: [a-z0-9][a-z0-9-_]{0,62}. Error bad_name.
[[nodiscard]] Result<void> check_pipeline_name(std::string_view name);
/// What a step and an event that is awaited may be called.
[[nodiscard]] bool is_step_name(std::string_view name);

/// Reads a definition: JSON with the keys of [pipelines.NAME] in mayfly.toml. Error RegistryErrc::bad_config
/// (or bad_name) with what is wrong and what is allowed; detail `key`, as "steps.NAME.KEY". Reads files: what
/// triggers mean is checked as well.
[[nodiscard]] Result<Definition> parse_definition(std::string_view name, std::string_view json);
/// JSON that parse_definition() reads, keys sorted; unset ones are left out.
[[nodiscard]] std::string to_json(const Definition& definition);

/// A definition as it is kept.
struct StoredDefinition {
  Definition definition;
  std::int64_t revision = 0;  ///< counts up with each change
  std::int64_t changed = 0;   ///< ms since 1970
};
[[nodiscard]] std::string to_json(const StoredDefinition& stored);
/// What triggers mean (the system's time zones) is not looked at again.
[[nodiscard]] Result<StoredDefinition> stored_definition(std::string_view name, std::string_view json);

}  // namespace mayfly::pipelines
