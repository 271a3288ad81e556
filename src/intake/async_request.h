// A request with `Prefer: respond-async` (RFC 7240, section 4.1): accepted, answered 202, delivered later.
#pragma once

#include "events/engine.h"
#include "intake/local_request.h"

namespace mayfly::intake {

/// Path of the data plane under which what was accepted can be looked at.
inline constexpr std::string_view kInvocationsPath = "/_mayfly/invocations/";
/// Longest body of an event, in bytes.
inline constexpr std::size_t kMaxEventBody = 16U << 20U;
/// Of an event that keeps an asynchronous request: "hello@3", when the request named a version or an alias.
inline constexpr std::string_view kReferenceField = "mayfly-reference";

/// Of a request: the URL that its result goes to. Not for the function.
inline constexpr std::string_view kCallbackField = "mayfly-callback";

/// An idempotency key is its caller's own: another one with the same key is not told of what he began.
/// `fields` are those of the request, with who was admitted.
[[nodiscard]] std::string key_of_caller(std::string_view key, std::string_view fields);

class AsyncRequest final : public LocalRequest {
 public:
  /// `reference` is the version or alias that was asked for, or empty. The engine outlives the request.
  AsyncRequest(Place place, std::size_t max_body, events::Engine& engine, std::string function,
               std::string reference)
      : LocalRequest(std::move(place), std::min(max_body, kMaxEventBody)),
        engine_(engine),
        function_(std::move(function)),
        reference_(std::move(reference)) {}

 private:
  void on_request(const pool::Invocation& invocation, std::string body) override;
  void on_accepted(Result<std::vector<events::Accepted>> accepted);

  events::Engine& engine_;
  std::string function_;
  std::string reference_;
};

}  // namespace mayfly::intake
