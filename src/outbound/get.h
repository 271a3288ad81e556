// A document that is fetched by a thread that may wait for it.
#pragma once

#include <chrono>
#include <string>

#include "outbound/error.h"

namespace mayfly::outbound {

/// The body of an answer with a status below 400, of at most `most` bytes. Waits up to `longest`.
[[nodiscard]] Result<std::string> get(const std::string& url, std::chrono::seconds longest, std::size_t most);

}  // namespace mayfly::outbound
