#include "outbound/transfer.h"

namespace mayfly::outbound {
namespace {

OutboundErrc errc_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return OutboundErrc::bad_url;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return OutboundErrc::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
      return OutboundErrc::timed_out;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return OutboundErrc::not_trusted;
    default:
      return OutboundErrc::broken;
  }
}

}  // namespace

Transfer make_transfer() {
  // The first transfer would make it, but not safely beside others.
  static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  Transfer transfer(ready ? ::curl_easy_init() : nullptr);
  if (!transfer) return transfer;
  CURL* const raw = transfer.get();
  ::curl_easy_setopt(raw, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(raw, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  ::curl_easy_setopt(raw, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(raw, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(raw, CURLOPT_QUICK_EXIT, 1L);  // a name that is being looked up holds nobody up
  return transfer;
}

Error error_of(CURLcode code, const char* said) {
  const bool silent = said == nullptr || *said == '\0';
  return Error{errc_of(code), silent ? ::curl_easy_strerror(code) : said, {}};
}

}  // namespace mayfly::outbound
