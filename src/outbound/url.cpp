#include "outbound/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "base/ascii.h"

namespace mayfly::outbound {

namespace ip = boost::asio::ip;

namespace {

struct Cleanup {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  ::curl_free(text);
  return copy;
}

std::unexpected<Error> bad(std::string_view text, const std::string& why) {
  return fail(OutboundErrc::bad_url, "'" + std::string(text.substr(0, 200)) + "' cannot be asked: " + why);
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrl) return bad(text, "it is longer than " + std::to_string(kMaxUrl) + " bytes");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }))
    return bad(text, "it holds a blank or a control character");
  if (text.contains(":///")) return bad(text, "it names no host");  // libcurl would take the path for one
  const std::unique_ptr<CURLU, Cleanup> url(::curl_url());
  if (!url ||
      ::curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), CURLU_PATH_AS_IS) != CURLUE_OK)
    return bad(text, "it is not a URL");
  Url result;
  result.scheme = lower(part(url.get(), CURLUPART_SCHEME));
  if (result.scheme != "http" && result.scheme != "https")
    return bad(text, "it must begin with https:// or http://");
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty())
    return bad(text, "it must not hold a user's name or a password");
  result.host = lower(part(url.get(), CURLUPART_HOST));
  if (result.host.empty()) return bad(text, "it names no host");
  const auto port = part(url.get(), CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  result.authority = port.empty() ? result.host : result.host + ":" + port;
  result.path = part(url.get(), CURLUPART_PATH);
  result.query = part(url.get(), CURLUPART_QUERY);
  return result;
}

Result<void> check_host(const Url& url, const AddressRules& rules) {
  auto host = url.host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  if (host.ends_with('.')) host.pop_back();
  boost::system::error_code error;
  auto address = ip::make_address(host, error);
  if (error && host != "localhost" && !host.ends_with(".localhost")) return {};
  if (error) address = ip::address_v4::loopback();
  if (rules.allows(address)) return {};
  return fail(OutboundErrc::address_not_allowed,
              "'" + url.host + "' is not an address of the public internet");
}

}  // namespace mayfly::outbound
