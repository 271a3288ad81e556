// What queues and schedules deliver (docs/wire.md) as the events that a Lambda function knows: a batch as
// records of SQS, with the partial batch answer, and a schedule as an event of EventBridge. The same
// translation as runtimes/node/lambda-records.js makes.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::exec {

/// A batch for the function, and the ids of its messages.
struct LambdaRecords {
  std::string event;  ///< JSON: {"Records": […]}
  std::vector<std::string> ids;
};

/// An error: it is no batch. Data goes on as it is written, however deeply it is nested.
[[nodiscard]] Result<LambdaRecords> records_of(std::string_view batch);

/// What the daemon is told, of what the function returned. An error where Lambda would have the whole batch
/// again: `batchItemFailures` that is no list, or names what is none of `ids`.
[[nodiscard]] Result<std::string> batch_answer(std::string_view returned,
                                               const std::vector<std::string>& ids);

/// An error: it is no time of a schedule.
[[nodiscard]] Result<std::string> scheduled_event(std::string_view delivered, std::string_view invocation);

}  // namespace mayfly::exec
