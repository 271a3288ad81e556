// Pipelines: those that are deployed, and what people and programs do with their runs. Everything is in the
// events' store; decisions.h says what happens in it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "events/engine.h"
#include "pipelines/definition.h"
#include "pipelines/keys.h"

namespace mayfly::pipelines {

using DefinitionPtr = std::shared_ptr<const StoredDefinition>;
using events::Then;

/// Which runs are listed, newest first.
struct RunQuery {
  std::string state{};     ///< "": any
  std::string before{};    ///< a run's id, or `more` of a list: only those that were started before it
  std::size_t limit = 20;  ///< 1 … 1000
};

/// How much of a run is told.
enum class Detail {
  everyone,  ///< for whoever has its id: no word of what went wrong inside
  state,
  data,  ///< with inputs and outputs
};

/// Thread-safe. Answers come on the store's or the engine's thread, and must not wait. Errors: those of the
/// store and of decisions.h.
class Pipelines final {
 public:
  /// Gives a pipeline's queues to the engine, with its triggers; null: it has none any more, but runs that
  /// have begun go on. On any thread.
  using Attach = std::function<void(const std::string& name, const DefinitionPtr& definition)>;

  /// The engine outlives it.
  Pipelines(events::Engine& engine, Attach attach) : engine_(engine), attach_(std::move(attach)) {}

  /// Reads what is deployed, again and again until that succeeds, and attaches it.
  void start();

  void deploy(Definition definition, Then<DefinitionPtr> then);
  /// No run begins any more; those that have begun go on.
  void remove(const std::string& name, Then<void> then);
  /// Null: there is none.
  [[nodiscard]] DefinitionPtr find(const std::string& name) const;
  [[nodiscard]] std::vector<DefinitionPtr> list() const;  ///< by name
  [[nodiscard]] Error unknown(const std::string& name) const;

  /// The input is JSON, or any text. The same idempotency key gives the same run.
  void start_run(const std::string& name, std::string input, std::string idempotency_key,
                 Then<std::string> then);
  /// {"runs": [items of read_runs(), …], "more"?: what `before` goes on with}
  void runs(const std::string& name, const RunQuery& query, Then<nlohmann::json> then);

  // Below the pipeline's name may be "": the run is looked for in all of them.

  /// run_view(), with how open calls are attempted (attempts.h) but for everyone.
  void show(const std::string& name, const std::string& id, Detail detail, Then<nlohmann::json> then);
  /// An event for a step that waits for it, or will.
  void signal(const std::string& name, const std::string& id, const std::string& event, std::string body,
              Then<void> then);
  /// Undoes what it has done, and ends it.
  void cancel(const std::string& name, const std::string& id, Then<void> then);
  /// Goes on with a failed run at the step that failed.
  void retry(const std::string& name, const std::string& id, Then<void> then);

 private:
  void read(const std::vector<events::Document>& documents);
  void forget(const std::string& name);
  void take(const DefinitionPtr& definition);
  void find_run(const std::string& name, const std::string& id, std::function<void(RunId)> found,
                std::function<void(Error)> failed);
  void find_in(std::vector<std::string> names, const std::string& id, std::function<void(RunId)> found,
               std::function<void(Error)> failed);
  void list_runs(const std::string& name, const std::string& before, const RunQuery& query,
                 std::shared_ptr<nlohmann::json> items, Then<nlohmann::json> then);

  events::Engine& engine_;
  Attach attach_;
  mutable std::mutex mutex_;
  std::map<std::string, DefinitionPtr> definitions_;  // null: it was deleted, and may have runs
};

}  // namespace mayfly::pipelines
