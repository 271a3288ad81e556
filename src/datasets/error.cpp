#include "datasets/error.h"

namespace mayfly::datasets {

std::error_code make_error_code(DatasetsErrc code) {
  static const SlugCategory<DatasetsErrc, 9> category(
      "datasets", {"unknown-dataset", "bad-name", "bad-source", "source-unreadable", "out-of-memory",
                   "too-many", "in-use", "busy", "not-loaded"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::datasets
