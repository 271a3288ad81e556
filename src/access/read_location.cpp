#include <curl/curl.h>

#include <array>
#include <fstream>
#include <memory>

#include "access/error.h"
#include "access/key_source.h"

namespace mayfly::access {
namespace {

constexpr std::size_t kMostBytes = 1U << 20U;

struct Cleanup {
  void operator()(CURL* transfer) const { ::curl_easy_cleanup(transfer); }
};

std::size_t append(const char* bytes, std::size_t, std::size_t count, std::string* text) {
  if (text->size() + count > kMostBytes) return 0;  // ends the transfer
  text->append(bytes, count);
  return count;
}

std::unexpected<Error> failed(const std::string& location, const std::string& why) {
  return fail(AccessErrc::keys_unavailable, location + ": " + why);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostBytes + 1, '\0');
  if (!file || !file.read(text.data(), static_cast<std::streamsize>(text.size())).eof())
    return failed(path, file ? "it is larger than 1 MiB" : "it cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

Result<std::string> read_url(const std::string& url, std::chrono::seconds longest) {
  // The first transfer would make it, but not safely beside others.
  static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const std::unique_ptr<CURL, Cleanup> transfer(ready ? ::curl_easy_init() : nullptr);
  if (!transfer) return failed(url, "libcurl cannot be used");
  CURL* raw = transfer.get();
  std::string text;
  std::array<char, CURL_ERROR_SIZE> why{};
  ::curl_easy_setopt(raw, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(raw, CURLOPT_PROTOCOLS_STR, url.starts_with("https:") ? "https" : "http");
  ::curl_easy_setopt(raw, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(raw, CURLOPT_FAILONERROR, 1L);
  ::curl_easy_setopt(raw, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(raw, CURLOPT_TIMEOUT, static_cast<long>(longest.count()));
  ::curl_easy_setopt(raw, CURLOPT_MAXFILESIZE, static_cast<long>(kMostBytes));
  ::curl_easy_setopt(raw, CURLOPT_USERAGENT, "mayfly");
  ::curl_easy_setopt(raw, CURLOPT_ERRORBUFFER, why.data());
  ::curl_easy_setopt(raw, CURLOPT_WRITEFUNCTION, append);
  ::curl_easy_setopt(raw, CURLOPT_WRITEDATA, &text);
  const auto code = ::curl_easy_perform(raw);
  if (code != CURLE_OK) return failed(url, why[0] != '\0' ? why.data() : ::curl_easy_strerror(code));
  return text;
}

}  // namespace

bool is_key_location(std::string_view text) {
  if (text.size() > 2048) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
  if (text.starts_with('/')) return true;
  if (text.starts_with("https://")) return text.size() > 8;
  constexpr std::string_view kPlain = "http://";
  if (!text.starts_with(kPlain)) return false;
  text.remove_prefix(kPlain.size());
  auto host = text.substr(0, text.find_first_of("/?#"));
  if (host.contains('@')) return false;  // what stands before it is a user's name, not the host
  if (const auto colon = host.rfind(':'); colon != std::string_view::npos && !host.ends_with(']'))
    host = host.substr(0, colon);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

Result<std::string> read_location(const std::string& location, std::chrono::seconds longest) {
  return location.starts_with('/') ? read_file(location) : read_url(location, longest);
}

}  // namespace mayfly::access
