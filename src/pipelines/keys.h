// The keys of the documents in which pipelines and their runs are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::pipelines {

struct RunId {
  std::string pipeline;
  std::string id;  ///< 32 hexadecimal digits: those of the delivery that started it
  bool operator==(const RunId&) const = default;
};

/// Its stored definition (to_json(StoredDefinition)).
[[nodiscard]] inline std::string pipeline_key(std::string_view name) {
  return "pipeline/" + std::string(name);
}
inline constexpr std::string_view kAllPipelines = "pipeline/";
/// What a deleted pipeline leaves behind: its last revision. Runs that have begun go on, also after the next
/// start, and one of this name that is deployed later has other revisions than they have.
inline constexpr std::string_view kDeleted = "pipeline-deleted/";
[[nodiscard]] inline std::string deleted_key(std::string_view name) {
  return std::string(kDeleted) + std::string(name);
}

/// What the heads of all runs of a pipeline begin with.
[[nodiscard]] inline std::string runs_prefix(std::string_view pipeline) {
  return "run/" + std::string(pipeline) + "/";
}
/// A run's head (run.h).
[[nodiscard]] inline std::string head_key(const RunId& run) { return runs_prefix(run.pipeline) + run.id; }

/// What a run is called where all are in the order in which they were started (ms since 1970).
[[nodiscard]] inline std::string order_text(std::int64_t started, std::string_view id) {
  const auto digits = std::to_string(started);
  return std::string(digits.size() < 14 ? 14 - digits.size() : 0, '0') + digits + "-" + std::string(id);
}
/// An empty document for each run, followed by order_text(). Ids are in the order of each stream alone, and
/// triggers have streams of their own.
[[nodiscard]] inline std::string order_prefix(std::string_view pipeline) {
  return "run-order/" + std::string(pipeline) + "/";
}

/// What all other documents of a run begin with.
[[nodiscard]] inline std::string part_prefix(const RunId& run) {
  return "run-part/" + run.pipeline + "/" + run.id + "/";
}
/// The definition that it has for good.
[[nodiscard]] inline std::string definition_key(const RunId& run) { return part_prefix(run) + "definition"; }
[[nodiscard]] inline std::string input_key(const RunId& run) { return part_prefix(run) + "input"; }
/// An event that nobody has waited for yet: the first of its name. Those behind it have "/" and an index
/// besides.
[[nodiscard]] inline std::string event_key(const RunId& run, std::string_view name) {
  return part_prefix(run) + "event/" + std::string(name);
}
/// What an entry of the trace gave.
[[nodiscard]] inline std::string output_key(const RunId& run, std::size_t entry) {
  return part_prefix(run) + "out/" + std::to_string(entry);
}

/// Of a fan-out, each followed by the index: what its calls gave, what is still to be called with, and the
/// delivery's id while a call is open.
[[nodiscard]] inline std::string outputs_prefix(const RunId& run, std::size_t entry) {
  return output_key(run, entry) + "/";
}
[[nodiscard]] inline std::string items_prefix(const RunId& run, std::size_t entry) {
  return part_prefix(run) + "item/" + std::to_string(entry) + "/";
}
[[nodiscard]] inline std::string calls_prefix(const RunId& run, std::size_t entry) {
  return part_prefix(run) + "call/" + std::to_string(entry) + "/";
}
/// With as many digits as the largest one: keys are in order.
[[nodiscard]] inline std::string index_text(std::size_t index) {
  const auto digits = std::to_string(index);
  return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

/// The stream of a pipeline's events, and its queue.
[[nodiscard]] inline std::string stream_name(std::string_view pipeline) {
  return "pipeline:" + std::string(pipeline);
}

}  // namespace mayfly::pipelines
