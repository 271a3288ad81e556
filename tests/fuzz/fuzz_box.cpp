// Boxes come from the daemon alone; what decodes them still takes nothing for granted.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sandbox/box.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto box = mayfly::sandbox::decode_box(text);
  if (!box) return 0;
  const auto again = mayfly::sandbox::decode_box(mayfly::sandbox::encode(*box));
  if (!again || mayfly::sandbox::encode(*again) != mayfly::sandbox::encode(*box)) std::abort();
  return 0;
}
