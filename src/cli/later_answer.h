// The answer of an invocation that was accepted, fetched later.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "cli/daemon_client.h"

namespace mayfly::cli {

/// For how long an answer is waited for unless told otherwise.
inline constexpr std::chrono::minutes kLongestWait{5};

/// "/v1/invocations/ID" + rest
[[nodiscard]] std::string invocation_target(const std::string& id, const std::string& rest = "");

/// How long --timeout says; kLongestWait if it does not. Error: usage.
[[nodiscard]] Result<std::chrono::milliseconds> wait_time(const std::optional<std::string>& timeout);

/// Prints the function's answer: its body to standard output, byte for byte, and how it went to standard
/// error unless `quiet`; with --json all of it. `patience` is for how long it may still be on its way; then,
/// or at once if there is none, that is an error. The exit code: whether the answer is a good one.
[[nodiscard]] Result<int> print_answer_of(Context& context, const DaemonClient& client, const std::string& id,
                                          std::chrono::milliseconds patience, bool quiet);

/// As UTF-8 text in "body", else in "body_base64".
void put_body(nlohmann::json& object, const std::string& body);

}  // namespace mayfly::cli
