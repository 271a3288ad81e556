#include "exec/lambda_stream.h"

#include <utility>

#include "exec/headers.h"

namespace mayfly::exec {
namespace {

constexpr std::string_view kWithPrelude = "application/vnd.awslambda.http-integration-response";
constexpr std::string_view kEndOfPrelude("\0\0\0\0\0\0\0\0", 8);
constexpr std::size_t kMaxPrelude = 256U << 10U;

}  // namespace

bool has_prelude(std::string_view content_type) {
  return lower_case(trim(content_type.substr(0, content_type.find(';')))) == kWithPrelude;
}

LambdaStream::LambdaStream(std::string_view content_type) {
  if (has_prelude(content_type)) return;
  has_head_ = true;
  append_field(head_.headers, "content-type",
               content_type.empty() ? "application/octet-stream" : content_type);
}

void LambdaStream::take(std::string_view part, bool end) {
  text_.append(part);
  if (!has_head_ && mistake_.empty()) read_prelude(end);
}

void LambdaStream::read_prelude(bool end) {
  const auto length = text_.find(kEndOfPrelude);
  if (length == std::string::npos) {
    if (end || text_.size() > kMaxPrelude)
      mistake_ = "the streamed answer has no prelude that ends with eight NUL bytes";
    return;
  }
  auto head = prelude_of(std::string_view(text_).substr(0, length));
  if (!head) {
    mistake_ = head.error().message;
    return;
  }
  head_ = std::move(*head);
  has_head_ = true;
  text_.erase(0, length + kEndOfPrelude.size());
}

std::string LambdaStream::take_body() { return std::exchange(text_, {}); }

}  // namespace mayfly::exec
