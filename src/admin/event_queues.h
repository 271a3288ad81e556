// Queues as the endpoints about events need them: which there are, and how people name them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api.h"
#include "events/engine.h"

namespace mayfly::admin {

/// What a list has at most, whatever is asked for.
inline constexpr std::size_t kMaxList = 1'000;

/// All queues by name, or those of one function.
[[nodiscard]] boost::asio::awaitable<Result<std::vector<events::QueueView>>> event_queues(
    const Services& services, std::string function = {});

/// A queue's name, from what people call it: its name ("orders>mail", "function:hello"), TOPIC/FUNCTION,
/// which needs no quotes in a shell, "callbacks", or a function, whose asynchronous invocations are meant.
[[nodiscard]] std::string queue_name(std::string_view given);

/// {"queue", "function", "topic"?, "paused", "attached", "backlog", "waiting", "running", "dead_letters",
/// "since_start": {"succeeded", "failed", "dead", "cancelled"}, "policy": {…}}
[[nodiscard]] nlohmann::json queue_json(const events::QueueView& queue);

/// What intake::delivery_json() says to a developer, with "queue", "function" and "event": {"form",
/// "method"?, "target"?, "reference"?, "partition"?, "idempotency_key"?}. With `whole` the event has its
/// "bytes" and "fields", too; the values of fields that hold credentials are left out.
[[nodiscard]] nlohmann::json invocation_json(const events::DeliveryRecord& record,
                                             const events::QueueView& queue, bool whole);

/// Of a query: state, limit (100; at most 1000) and before (an invocation's id).
[[nodiscard]] Result<events::DeliveryQuery> delivery_query(const Request& request);

}  // namespace mayfly::admin
