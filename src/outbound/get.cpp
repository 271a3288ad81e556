#include "outbound/get.h"

#include <array>

#include "outbound/gate.h"
#include "outbound/transfer.h"

namespace mayfly::outbound {
namespace {

struct Text {
  std::string bytes{};
  std::size_t most = 0;
};

std::size_t append(const char* bytes, std::size_t, std::size_t count, Text* text) {
  if (text->bytes.size() + count > text->most) return 0;  // ends the transfer
  text->bytes.append(bytes, count);
  return count;
}

}  // namespace

Result<std::string> get(const std::string& url, const GetOptions& options) {
  Gate gate(options.rules);
  const Transfer transfer = make_transfer();
  if (!transfer) return fail(OutboundErrc::stopped, "libcurl cannot be used");
  CURL* const raw = transfer.get();
  Text text{.most = options.most};
  std::array<char, CURL_ERROR_SIZE> why{};
  ::curl_easy_setopt(raw, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(raw, CURLOPT_FAILONERROR, 1L);
  ::curl_easy_setopt(raw, CURLOPT_TIMEOUT, static_cast<long>(options.longest.count()));
  ::curl_easy_setopt(raw, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options.most));
  ::curl_easy_setopt(raw, CURLOPT_USERAGENT, "mayfly");
  ::curl_easy_setopt(raw, CURLOPT_ERRORBUFFER, why.data());
  ::curl_easy_setopt(raw, CURLOPT_WRITEFUNCTION, append);
  ::curl_easy_setopt(raw, CURLOPT_WRITEDATA, &text);
  gate.put_before(raw);
  if (const auto code = ::curl_easy_perform(raw); code != CURLE_OK)
    return std::unexpected(gate.error(code, why.data()));
  return std::move(text.bytes);
}

}  // namespace mayfly::outbound
