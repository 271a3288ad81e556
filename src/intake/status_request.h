// Requests about what was accepted: GET /_mayfly/invocations/ID (its status), GET …/ID/result (the function's
// answer), DELETE …/ID (cancel it). Who has the id may: it cannot be guessed.
#pragma once

#include "events/engine.h"
#include "intake/local_request.h"

namespace mayfly::intake {

class StatusRequest final : public LocalRequest {
 public:
  /// The engine outlives the request.
  StatusRequest(Place place, events::Engine& engine) : LocalRequest(std::move(place), 0), engine_(engine) {}

 private:
  void on_request(const pool::Invocation& invocation, std::string body) override;
  void on_event(events::DeliveryId id, const Result<events::EventDeliveries>& event);
  void on_status(const Result<events::DeliveryRecord>& record);
  void on_result(const Result<events::DeliveryRecord>& record);

  events::Engine& engine_;
};

}  // namespace mayfly::intake
