// mayfly.toml comes with an upload. What is accepted can be stored and read again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "registry/config_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto specs = mayfly::registry::parse_toml(text, "mayfly.toml");
  if (!specs) return 0;
  for (const auto& spec : *specs) {
    const auto stored = mayfly::registry::config_to_json(spec.config);
    const auto again = mayfly::registry::config_from_json(stored);
    if (!again || mayfly::registry::config_to_json(*again) != stored) std::abort();
  }
  return 0;
}
