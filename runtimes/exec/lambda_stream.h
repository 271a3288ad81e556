// A Lambda function's answer that is streamed: bytes as they are, or a JSON prelude with status and headers,
// eight NUL bytes, and the bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "exec/lambda_event.h"

namespace mayfly::exec {

/// Whether an answer of this content type begins with a prelude.
[[nodiscard]] bool has_prelude(std::string_view content_type);

class LambdaStream {
 public:
  LambdaStream() = default;
  explicit LambdaStream(std::string_view content_type);

  void take(std::string_view part, bool end);
  [[nodiscard]] bool has_head() const { return has_head_; }
  [[nodiscard]] const LambdaAnswer& head() const { return head_; }
  /// What has come of the body since it was last asked for.
  [[nodiscard]] std::string take_body();
  /// How many bytes take_body() would give; of the prelude as well while that has not ended.
  [[nodiscard]] std::size_t held() const { return text_.size(); }
  /// Why this is no answer; empty if it is one.
  [[nodiscard]] const std::string& mistake() const { return mistake_; }

 private:
  void read_prelude(bool end);

  bool has_head_ = false;
  LambdaAnswer head_;
  std::string text_;
  std::string mistake_;
};

}  // namespace mayfly::exec
