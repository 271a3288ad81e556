// What every request that the daemon makes has in common: libcurl's options, and its errors in our words.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "outbound/error.h"

namespace mayfly::outbound {

struct TransferCleanup {
  void operator()(CURL* transfer) const { ::curl_easy_cleanup(transfer); }
};
using Transfer = std::unique_ptr<CURL, TransferCleanup>;

/// HTTP/1.1 over http or https with the system's authorities; no redirection is followed, no password file is
/// read, no signal is used. Null: libcurl cannot be used.
[[nodiscard]] Transfer make_transfer();

/// What ended a transfer; `said` is libcurl's own text, perhaps empty.
[[nodiscard]] Error error_of(CURLcode code, const char* said);

}  // namespace mayfly::outbound
