// Problem documents (RFC 9457): what an Error looks like in an HTTP answer. The only place that knows
// which status an error code has, so that the modules need not know of HTTP.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "base/result.h"

namespace mayfly::problem {

/// Who reads the answer. The developer is on the admin plane and sees stacks, log lines, and what a
/// handler threw; everyone else gets the title of the problem and the facts that concern a caller.
enum class Audience { everyone, developer };

/// What may be told to everyone of an error's own message.
enum class Message {
  open,     ///< written by the platform
  guarded,  ///< may quote the function's code or data: for the developer only
};

/// One error code as an HTTP answer.
struct Row {
  std::string_view module;  ///< name of the error category
  std::string_view slug;
  unsigned status;         ///< 400…599
  std::string_view title;  ///< the same for every occurrence, ends without a full stop
  Message message = Message::open;
};

inline constexpr std::string_view kMediaType = "application/problem+json";

/// All rows, ordered by module.
[[nodiscard]] std::span<const Row> table();
/// The row of a code. What is not in the table (errno values, a code that was forgotten) is a 500 with
/// the slug "internal", whose message is for the developer only.
[[nodiscard]] const Row& row(const std::error_code& code);
[[nodiscard]] inline unsigned status(const std::error_code& code) { return row(code).status; }
/// "urn:mayfly:pool:handler-threw"
[[nodiscard]] std::string type(const std::error_code& code);
/// "pool:handler-threw": the same for lists and figures.
[[nodiscard]] std::string name(const std::error_code& code);

/// The document as JSON text: type, title, status, detail, invocation (if given), and the error's
/// details. Known details take a form of their own: "logs" (lines divided by '\n') is an array, "line",
/// "column" and "exitCode" are numbers. Invalid UTF-8 is replaced.
[[nodiscard]] std::string document(const Error& error, Audience audience, std::string_view invocation = {});

}  // namespace mayfly::problem
