// Keeps children from writing all over the heaps that they share with their template.
#pragma once

namespace mayfly::python {

/// Takes the free blocks inside of Python's pools of small objects out of circulation, for ever. Called
/// before this process is forked: what a child allocates then lies together in fresh pools, instead of in
/// holes each of which costs the child a page of its own. The blocks are lost to this process, which
/// allocates little after it.
void fill_pool_holes();

}  // namespace mayfly::python
