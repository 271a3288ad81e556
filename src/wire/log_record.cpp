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

/// As much of it as a record takes.
LogRecord cut(LogRecord record) {
  record.full_length = std::max(record.full_length, static_cast<std::uint32_t>(record.text.size()));
  record.text = record.text.substr(0, kMaxLogText);
  record.invocation = record.invocation.substr(0, 255);
  return record;
}

Header header_of(const LogRecord& record) {
  return {kLogMagic,
          static_cast<std::uint8_t>(record.level),
          static_cast<std::uint8_t>(record.invocation.size()),
          0,
          static_cast<std::uint32_t>(record.text.size()),
          record.full_length,
          record.dropped};
}

}  // namespace

void append_log_record(std::string& out, const LogRecord& record) {
  const auto part = cut(record);
  const auto header = header_of(part);
  out.append(reinterpret_cast<const char*>(&header), sizeof header);
  out.append(part.invocation).append(part.text);
}

std::size_t put_log_record(std::span<char> room, const LogRecord& record) {
  const auto part = cut(record);
  const auto header = header_of(part);
  const std::size_t size = sizeof header + part.invocation.size() + part.text.size();
  if (size > room.size()) return 0;
  std::memcpy(room.data(), &header, sizeof header);
  part.invocation.copy(room.data() + sizeof header, part.invocation.size());
  part.text.copy(room.data() + sizeof header + part.invocation.size(), part.text.size());
  return size;
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
