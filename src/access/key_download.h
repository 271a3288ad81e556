// A key set that is read from its URL.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "outbound/client.h"

namespace mayfly::access {

/// Tells what stands there, at most kMostKeySetBytes of it, on the client's thread: an answer with status
/// 200, no redirection is followed. Error: AccessErrc::keys_unavailable.
void download_keys(outbound::Client& client, const std::string& url, std::chrono::seconds longest,
                   std::function<void(Result<std::string>)> then);

}  // namespace mayfly::access
