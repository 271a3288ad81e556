// What a template says of itself. It runs a function's code: whatever comes is anybody's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::pool {

struct TemplateReport {
  bool serial = false;                ///< its instances run one invocation after another (wire/offers.h)
  bool unsafe = false;                ///< it must not be forked
  int concurrency = 0;                ///< 1…1000; 0: it says nothing of it
  std::vector<std::string> warnings;  ///< at most 32, of at most 1000 bytes each
};

/// Of a template that has loaded its code. What is not as it should be counts as not said.
[[nodiscard]] TemplateReport parse_ready(std::string_view text);

/// Of one that cannot load its code: an error that names file and line, or that its sandbox cannot be made.
[[nodiscard]] Error parse_failed(std::string_view text);

}  // namespace mayfly::pool
