// HTTP to frame: whatever a client sends, in whatever portions, becomes a request that a frame can carry and
// that reads the same at the other end, or an error. Nothing of it can end a header early: no line breaks,
// and no zero bytes but those that divide names and values.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/request_parser.h"
#include "wire/frame.h"

namespace {

using mayfly::gateway::RequestHead;
using mayfly::gateway::RequestParser;

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void check(const RequestHead& head) {
  require(is_clean(head.method) && is_clean(head.target) && is_clean(head.host));
  require(head.headers.find('\n') == std::string::npos);
  require(std::ranges::count(head.headers, '\0') % 2 == 0);
  require(!head.headers.contains(std::string_view("\0x-forwarded-prefix\0", 20)));
  if (head.traceparent != std::string::npos) require(head.traceparent <= head.headers.size());

  mayfly::wire::InvokeHead sent;
  sent.method = head.method;
  sent.target = head.target;
  sent.headers = head.headers;
  std::string payload;
  mayfly::wire::append_invoke_head(payload, sent);
  std::string_view rest;
  const auto got = mayfly::wire::parse_invoke_head(payload, rest);
  require(got && got->method == head.method && got->target == head.target && got->headers == head.headers);
}

/// Parses `bytes` in portions of at most `step`; the body, and whether a whole request was there.
std::pair<bool, std::string> parse(std::string_view bytes, std::size_t step) {
  RequestHead head;
  std::string body;
  std::string buffer;
  RequestParser parser(head, body, 8192);
  bool checked = false;
  while (!parser.is_done()) {
    boost::beast::error_code error;
    const auto used = parser.put(boost::asio::buffer(buffer), error);
    buffer.erase(0, used);
    if (parser.is_header_done() && !checked) {
      check(head);
      checked = true;
    }
    if (error == boost::beast::http::error::need_more || (!error && used == 0)) {
      // Beast 1.81 asserts that five bytes are there when it looks at a last chunk again; "0\r\n" and a byte
      // of what follows are four. It is wrong and without consequence, but ends a build with assertions.
      const std::size_t least = parser.is_header_done() && parser.chunked() ? 5 : 1;
      const auto wanted = std::max(step, least - std::min(least, buffer.size()));
      if (bytes.empty() || buffer.size() + bytes.size() < least) return {false, body};
      const auto count = std::min(wanted, bytes.size());
      buffer.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
    } else if (error) {
      return {false, body};
    }
  }
  return {true, body};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = parse(bytes, bytes.size() + 1);
  const auto portions = parse(bytes, 1U + data[0]);
  // Whole requests are the same however they came. (What is refused may be refused a little later.)
  if (whole.first && portions.first) require(whole.second == portions.second);
  return 0;
}
