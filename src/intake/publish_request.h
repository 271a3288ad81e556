// POST /topics/NAME: events for a topic, as CloudEvents or any body. OPTIONS: a web hook's handshake.
#pragma once

#include "events/engine.h"
#include "intake/local_request.h"

namespace mayfly::intake {

inline constexpr std::string_view kTopicsPath = "/topics/";
/// A header that names the events' partition; else the attribute `partitionkey` of an event does (CloudEvents
/// extension "partitioning").
inline constexpr std::string_view kPartitionField = "mayfly-partition";

/// The topic of a path below kTopicsPath; nothing: it is none.
[[nodiscard]] std::optional<std::string> topic_of(std::string_view target);

/// The events of a message for a topic. `fields` is "name\0value\0…", names in lower case. Errors: those of
/// cloudevents/, IntakeErrc::bad_request.
[[nodiscard]] Result<std::vector<events::NewEvent>> events_of_message(std::string_view topic,
                                                                      std::string_view fields,
                                                                      std::string body);

/// {"events": ["ID", …]}
[[nodiscard]] std::string accepted_json(const std::vector<events::Accepted>& accepted);

class PublishRequest final : public LocalRequest {
 public:
  /// Longest body, a whole batch included.
  static constexpr std::size_t kMaxBody = 16U << 20U;
  /// The engine outlives the request.
  PublishRequest(Place place, events::Engine& engine, std::string topic)
      : LocalRequest(std::move(place), kMaxBody), engine_(engine), topic_(std::move(topic)) {}

 private:
  void on_request(const pool::Invocation& invocation, std::string body) override;

  events::Engine& engine_;
  std::string topic_;
};

}  // namespace mayfly::intake
