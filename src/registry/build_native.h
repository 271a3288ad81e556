// C and C++ sources to the shared object that the native runtime loads.
#pragma once

#include "registry/build_step.h"

namespace mayfly::registry {

/// Compiles what `built.entry` names and sets it to the object, which lies in `context.root` from then on:
///   resize.cpp       this file: resize.mayfly.so beside it
///   lib (a folder)   all .c .cc .cpp .cxx directly in it: lib/function.mayfly.so
///   CMakeLists.txt   its folder, by CMake; the library that has a handler (MAYFLY_HANDLER)
///   function.so      nothing: it is built already
/// By $CXX and $CC of this process, or c++, g++, clang++ and cc, gcc, clang of PATH; confined, without a
/// network, within DeployOptions::build_limit. What was built is a layer: the same source with the same
/// compiler is not compiled again. Warnings are appended to `built.warnings`.
///
/// Errors: syntax_error (the compiler found it; details file, line, column: of the first), build_failed (the
/// linker did; there is no compiler; it took too long). Detail `output`: the end of what the tools printed.
[[nodiscard]] Result<void> build_native(BuildContext& context);

}  // namespace mayfly::registry
