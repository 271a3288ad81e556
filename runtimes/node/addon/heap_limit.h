// V8's limit for its heap, changed in an isolate that runs.
#pragma once

#include <cstddef>

namespace mayfly::node {

/// From now on the old generation of the calling thread's isolate may grow to so many bytes (never to less
/// than a quarter more than what lives in it); then V8 ends the process and says so. It stays so in forks.
/// Node-API has nothing for this: two functions of V8's own interface are looked for by name. False: this
/// Node has not both.
bool limit_heap(std::size_t bytes);

}  // namespace mayfly::node
