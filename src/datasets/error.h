// What can be wrong with a dataset.
#pragma once

#include "base/result.h"

namespace mayfly::datasets {

enum class DatasetsErrc {
  unknown_dataset = 1,
  bad_name,
  bad_source,         ///< no absolute path, a pattern that cannot be read, a folder of the daemon's own
  source_unreadable,  ///< nothing matches, or what matches cannot be read; the generation before stays
  out_of_memory,      ///< it does not fit into what datasets may use together; details: limit, wanted, used
  too_many,           ///< details: limit
  in_use,             ///< functions list it
  busy,               ///< it is being loaded already
  not_loaded,         ///< its source could not be read since the daemon started
};
[[nodiscard]] std::error_code make_error_code(DatasetsErrc code);

}  // namespace mayfly::datasets

template <>
struct std::is_error_code_enum<mayfly::datasets::DatasetsErrc> : std::true_type {};
