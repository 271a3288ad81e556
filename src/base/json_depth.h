// How deep JSON is nested, before it is parsed: who copies or writes out a parsed value recurses, and text of
// a stranger must not decide how deep.
#pragma once

#include <cstddef>
#include <string_view>

namespace mayfly {

/// Whether no more than `most` lists and objects are in each other. The text need not be valid JSON.
[[nodiscard]] bool nests_at_most(std::string_view json, std::size_t most);

}  // namespace mayfly
