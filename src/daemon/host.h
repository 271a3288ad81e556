// The machine that the daemon runs on.
#pragma once

#include <cstdint>

namespace mayfly::daemon {

/// As many open files as this process may have.
void raise_file_limit();
/// Bytes.
[[nodiscard]] std::uint64_t half_of_memory();

}  // namespace mayfly::daemon
