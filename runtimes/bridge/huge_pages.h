// Makes a process that is forked often cheaper to fork.
#pragma once

namespace mayfly::bridge {

/// Moves this process's own memory into huge pages, where some of it lies in the place of whole ones: a fork
/// copies one entry for each instead of 512, and looks at none of its pages. What a child writes to is its
/// own page by page, as before. Called once, before the first fork; takes about a millisecond for each 2 MiB.
/// Without effect where the kernel cannot (Linux 6.1, MADV_COLLAPSE), or has no huge page free.
void use_huge_pages();

}  // namespace mayfly::bridge
