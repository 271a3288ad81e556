#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "access/error.h"
#include "access/key_source.h"
#include "base/fd.h"
#include "outbound/get.h"

namespace mayfly::access {
namespace {

constexpr std::size_t kMostBytes = 1U << 20U;

std::unexpected<Error> failed(const std::string& location, const std::string& why) {
  return fail(AccessErrc::keys_unavailable, location + ": " + why);
}

Result<std::string> read_file(const std::string& path) {
  // A pipe could keep the thread for ever, and a device does things when it is opened.
  struct stat its{};
  if (::stat(path.c_str(), &its) != 0) return failed(path, "it cannot be read");
  if (!S_ISREG(its.st_mode)) return failed(path, "it is not a plain file");
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return failed(path, "it cannot be read");
  std::string text;
  std::array<char, 64U << 10U> part{};
  ssize_t count = 0;
  while (text.size() <= kMostBytes && (count = ::read(file.get(), part.data(), part.size())) > 0)
    text.append(part.data(), static_cast<std::size_t>(count));
  if (text.size() > kMostBytes) return failed(path, "it is larger than 1 MiB");
  return count == 0 ? Result<std::string>(std::move(text)) : failed(path, "it cannot be read");
}

Result<std::string> read_url(const std::string& url, const KeySourceOptions& options) {
  auto text = outbound::get(url, {.longest = options.longest, .most = kMostBytes, .rules = options.rules});
  if (!text && text.error().code == outbound::OutboundErrc::address_not_allowed)
    return failed(url, text.error().message + " (`mayfly serve --outbound-allow` opens more)");
  if (!text) return failed(url, text.error().message);
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

Result<std::string> read_location(const std::string& location, const KeySourceOptions& options) {
  return location.starts_with('/') ? read_file(location) : read_url(location, options);
}

}  // namespace mayfly::access
