// The frame codec: whatever bytes an instance sends, in whatever portions they arrive, the decoder gives
// whole frames or a final error, and what it gives can be encoded to the same bytes again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "wire/call.h"
#include "wire/frame.h"

namespace {

using mayfly::wire::FrameDecoder;
using mayfly::wire::FrameType;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_invoke(std::string_view payload) {
  std::string_view rest;
  const auto head = mayfly::wire::parse_invoke_head(payload, rest);
  if (!head) return;
  require(rest.size() <= payload.size());
  std::string again;
  mayfly::wire::append_invoke_head(again, *head);
  std::string_view rest_again;
  const auto head_again = mayfly::wire::parse_invoke_head(again, rest_again);
  require(head_again.has_value() && rest_again.empty());
  require(head_again->deadline == head->deadline && head_again->invocation == head->invocation &&
          head_again->remote == head->remote && head_again->scheme == head->scheme &&
          head_again->method == head->method && head_again->target == head->target &&
          head_again->headers == head->headers);
}

void check_response(std::string_view payload) {
  std::string_view rest;
  const auto headers = mayfly::wire::parse_response_head(payload, rest);
  if (!headers) return;
  std::string again;
  mayfly::wire::append_response_head(again, *headers);
  again.append(rest);
  require(again == payload);
}

void check_call(const mayfly::wire::Frame& frame) {
  std::string_view rest;
  const auto head = mayfly::wire::parse_call_head(frame, rest);
  if (!head) return;
  (void)mayfly::wire::problem_with(*head);
  std::string again;
  mayfly::wire::append_call_head(again, *head);
  again.append(rest);
  require(again == frame.payload);
}

void check_call_error(std::string_view payload) {
  const auto error = mayfly::wire::parse_call_error(payload);
  if (!error) return;
  std::string again;
  mayfly::wire::CallErrorWriter writer(again, error->type, error->message);
  require(again.append(error->details) == payload);
}

/// Feeds `bytes` in portions of at most `step`; the frames given, encoded again.
std::string decode(std::string_view bytes, std::size_t step) {
  std::string encoded;
  FrameDecoder decoder;
  while (!bytes.empty()) {
    const auto [room, size] = decoder.prepare();
    require(size > 0);
    const auto count = std::min({size, step, bytes.size()});
    std::memcpy(room, bytes.data(), count);
    decoder.commit(count);
    bytes.remove_prefix(count);
    for (;;) {
      auto frame = decoder.next();
      if (!frame) return encoded;
      if (!*frame) break;
      require((*frame)->payload.size() <= mayfly::wire::kMaxPayload);
      if ((*frame)->type == FrameType::invoke) check_invoke((*frame)->payload);
      if ((*frame)->type == FrameType::response) check_response((*frame)->payload);
      if ((*frame)->type == FrameType::call) check_call(**frame);
      if ((*frame)->type == FrameType::call_error) check_call_error((*frame)->payload);
      mayfly::wire::append_frame(encoded, **frame);
    }
  }
  return encoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = decode(bytes, bytes.size() + 1);
  require(whole.size() <= bytes.size());
  // The portions in which bytes arrive make no difference, and what was decoded encodes to itself.
  require(decode(bytes, 1U + data[0]) == whole);
  require(decode(whole, whole.size() + 1) == whole);
  return 0;
}
