// Go and Rust sources to the program that the exec runtime starts.
#pragma once

#include "registry/build_step.h"

namespace mayfly::registry {

/// Builds what `built.entry` stands for, and sets it to the program, which lies in `context.root` from then
/// on:
///   go.mod       the main package of its folder, or the only one below it
///   Cargo.toml   the binary of its package: the only one, the one of the package's name, or `default-run`
///                … or, of several, the one that the key `program` names
/// Any other entry is left as it is. A program that speaks Lambda's Runtime API (its go.mod names
/// aws-lambda-go, its Cargo.toml lambda_runtime or lambda_http) is called "bootstrap", any other by its own
/// name: that is how the exec runtime tells them apart.
///
/// The toolchain is that of PATH, or of the places where it is usually installed. It runs confined, for at
/// most ten minutes; with the network only to download modules, and not at all if the source has a vendor
/// folder. What is downloaded and compiled is kept below DeployOptions::caches; the same source is not built
/// twice.
///
/// Errors: syntax_error (the compiler found it; details file, line, column: of the first), build_failed
/// (there is no toolchain; modules cannot be had; it took too long), too_large (the program; details `limit`,
/// `size`), unsafe_path (the build left no file where the program is to be). Detail `output`: the end of what
/// the tools printed.
[[nodiscard]] Result<void> build_exec(BuildContext& context);

}  // namespace mayfly::registry
