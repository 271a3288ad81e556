// A dataset as an ArrayBuffer.
#pragma once

#include "napi.h"

namespace mayfly::node {

/// mapDataset(descriptor, size): maps a dataset's file and closes it (bridge/dataset.h); gives an ArrayBuffer
/// over that memory, which is there for as long as the process lives. JavaScript has no read-only
/// ArrayBuffer: a page that is written to is this process's own from then on. Throws: it cannot be mapped, or
/// this Node has no ArrayBuffers of that size.
napi_value map_dataset(napi_env env, napi_callback_info info);

}  // namespace mayfly::node
