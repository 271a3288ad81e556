// Whether JavaScript is written as an ES module.
#pragma once

#include <string_view>

namespace mayfly::registry {

/// Whether the source uses syntax that only an ES module may have: `import …` or `export …` as a
/// statement, or `import.meta`. One pass over the tokens; what stands in comments, strings, templates and
/// regular expressions does not count. Errors in the source do not matter here: Node reports them.
///
/// Whether a '/' divides or begins a regular expression is guessed from what is before it, as no
/// parser is behind this; a wrong guess ends with the line.
[[nodiscard]] bool has_module_syntax(std::string_view source);

}  // namespace mayfly::registry
