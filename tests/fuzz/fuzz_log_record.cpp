// Log packets come from instances, so from anybody's code.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/log_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  mayfly::wire::LogRecord record;
  while (!bytes.empty()) {
    const auto before = bytes.size();
    if (!mayfly::wire::take_log_record(bytes, record)) break;
    // Every record taken shortens what is left, or a reader would never end.
    if (bytes.size() >= before) std::abort();
    std::string again;
    mayfly::wire::append_log_record(again, record);
    std::string_view view = again;
    mayfly::wire::LogRecord copy;
    if (!mayfly::wire::take_log_record(view, copy) || !view.empty()) std::abort();
    if (copy.invocation != record.invocation) std::abort();
  }
  return 0;
}
