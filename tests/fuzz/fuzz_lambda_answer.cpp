// What a Lambda function returns: an answer whose headers are headers, or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "exec/headers.h"
#include "exec/lambda_event.h"
#include "exec/lambda_stream.h"

namespace {

void check(const mayfly::exec::LambdaAnswer& answer) {
  if (answer.status < 200 || answer.status > 599) std::abort();
  std::string_view headers = answer.headers;
  std::string_view name;
  std::string_view value;
  while (mayfly::exec::take_field(headers, name, value))
    if (!mayfly::exec::is_token(name) || !mayfly::exec::is_field_value(value)) std::abort();
  if (!headers.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto answer = mayfly::exec::answer_of(text)) check(*answer);
  mayfly::exec::LambdaStream stream("application/vnd.awslambda.http-integration-response");
  stream.take(text, true);
  if (stream.has_head()) check(stream.head());
  return 0;
}
