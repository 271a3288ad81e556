// Keeps children from writing all over the heap that they share with their template.
#pragma once

namespace mayfly::bridge {

/// Takes every free block inside malloc's heap out of circulation, for ever. Called before this process is
/// forked: what a child allocates then lies together at the heap's end, instead of in holes each of which
/// costs the child a page of its own. The blocks are lost to this process, which allocates little after that.
void fill_malloc_holes();

}  // namespace mayfly::bridge
