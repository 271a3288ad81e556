#pragma once

#include <string_view>

namespace mayfly::cli {

/// Of the project, from CMake.
inline constexpr std::string_view kVersion = MAYFLY_VERSION;

}  // namespace mayfly::cli
