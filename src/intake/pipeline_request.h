// Pipelines on the data plane: POST /pipelines/NAME starts a run; below it, under the run's id, which cannot
// be guessed, its state (GET runs/ID) and the events that it waits for (POST runs/ID/events/EVENT).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "intake/local_request.h"
#include "pipelines/pipelines.h"

namespace mayfly::intake {

inline constexpr std::string_view kPipelinesPath = "/pipelines/";

/// What a path below kPipelinesPath means.
struct PipelinePath {
  std::string pipeline{};
  std::string run{};    ///< "": the pipeline itself
  std::string event{};  ///< "": the run itself
};
/// Nothing: it means nothing.
[[nodiscard]] std::optional<PipelinePath> pipeline_path(std::string_view target);

class PipelineRequest final : public LocalRequest {
 public:
  /// Longest input, and longest body of an event.
  static constexpr std::size_t kMaxBody = 1U << 20U;
  /// `pipelines` outlives the request.
  PipelineRequest(Place place, pipelines::Pipelines& pipelines, PipelinePath path)
      : LocalRequest(std::move(place), kMaxBody), pipelines_(pipelines), path_(std::move(path)) {}

 private:
  void on_request(const pool::Invocation& invocation, std::string body) override;
  void start(const pool::Invocation& invocation, std::string body);
  void not_allowed(std::string methods);

  pipelines::Pipelines& pipelines_;
  PipelinePath path_;
};

}  // namespace mayfly::intake
