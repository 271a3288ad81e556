// An HTTP request as the event of a Lambda function (API Gateway's payload format 2.0), and what the function
// returns as an HTTP answer. The same translation as runtimes/node/lambda-event.js and lambda-answer.js make.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/frame.h"

namespace mayfly::exec {

/// The event as JSON; `body` is all of the request's body.
[[nodiscard]] std::string event_of(const wire::InvokeHead& head, std::string_view body);

struct LambdaAnswer {
  std::uint32_t status = 200;
  std::string headers;  ///< in the form of the wire
  std::string body;
};

/// What a function returned to an HTTP request. Not JSON at all is taken as it is. An error: it is an answer
/// that cannot be given.
[[nodiscard]] Result<LambdaAnswer> answer_of(std::string_view returned);
/// The head of a streamed answer, from its JSON prelude: status, headers, cookies.
[[nodiscard]] Result<LambdaAnswer> prelude_of(std::string_view json);

/// The X-Amzn-Trace-Id for a request: its own, or what its traceparent says. Empty if it has neither.
[[nodiscard]] std::string trace_of(std::string_view headers);

}  // namespace mayfly::exec
