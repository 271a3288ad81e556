// Writes the head of an HTTP/1.1 answer from what a function gave.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mayfly::gateway {

/// How the body of an answer is delimited (RFC 9112, section 6).
enum class Framing { none, length, chunked, until_close };

struct ResponseFacts {
  unsigned status = 200;
  std::string_view headers{};                   ///< "name\0value\0…" as the function gave them
  std::string_view more{};                      ///< "name\0value\0…" of the platform, valid
  std::optional<std::uint64_t> whole_length{};  ///< bytes of the body, when all of it is known
  bool head_request = false;
  bool http_1_0 = false;
  bool keep_alive = true;
  std::string_view invocation{};
  std::int64_t queue_us = 0;  ///< microseconds, for Server-Timing
  std::int64_t start_us = 0;
  std::int64_t run_us = 0;
  std::string_view date{};  ///< an IMF-fixdate
};

struct ResponseHead {
  Framing framing = Framing::none;
  std::uint64_t length = 0;  ///< with Framing::length
};

/// Appends the status line and fields. Nothing, and `out` as it was, when a field is not valid HTTP: a
/// function must not be able to write into the stream of answers.
[[nodiscard]] std::optional<ResponseHead> append_response_head(std::string& out, const ResponseFacts& facts);

/// The current time as Date wants it, made at most once a second. Not thread-safe: one per thread.
[[nodiscard]] std::string_view http_date();

}  // namespace mayfly::gateway
