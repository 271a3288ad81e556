#include "wire/log_record.h"

#include <algorithm>
#include <cstring>

namespace mayfly::wire {
namespace {

struct Header {
  std::uint8_t magic;
  std::uint8_t level;
  std::uint8_t invocation_length;
  std::uint8_t reserved;
  std::uint32_t text_length;
  std::uint32_t full_length;
  std::uint32_t dropped;
};
static_assert(sizeof(Header) == 16);

}  // namespace

void append_log_record(std::string& out, const LogRecord& record) {
  const auto text = record.text.substr(0, kMaxLogText);
  const auto invocation = record.invocation.substr(0, 255);
  const Header header{kLogMagic,
                      static_cast<std::uint8_t>(record.level),
                      static_cast<std::uint8_t>(invocation.size()),
                      0,
                      static_cast<std::uint32_t>(text.size()),
                      std::max(record.full_length, static_cast<std::uint32_t>(record.text.size())),
                      record.dropped};
  out.append(reinterpret_cast<const char*>(&header), sizeof header);
  out.append(invocation).append(text);
}

bool take_log_record(std::string_view& bytes, LogRecord& record) {
  Header header;
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t length = sizeof header + header.invocation_length + std::size_t{header.text_length};
  if (header.magic != kLogMagic || header.text_length > kMaxLogText || bytes.size() < length) return false;
  record.level = static_cast<LogLevel>(std::clamp<std::uint8_t>(header.level, 1, 4));
  record.invocation = bytes.substr(sizeof header, header.invocation_length);
  record.text = bytes.substr(sizeof header + header.invocation_length, header.text_length);
  record.full_length = header.full_length;
  record.dropped = header.dropped;
  bytes.remove_prefix(length);
  return true;
}

}  // namespace mayfly::wire
