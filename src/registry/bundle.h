// TypeScript and JSX to JavaScript, with what they import, by esbuild.
#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mayfly::registry {

/// Whether Node cannot run this file as it is: .ts .mts .cts .tsx .jsx.
[[nodiscard]] bool needs_bundle(std::string_view file_name);

/// esbuild's executable: `setting` (MAYFLY_ESBUILD) if not empty; else the native program of the npm
/// package below `install`/node_modules, which starts faster than the script in .bin; else that one.
/// Empty if there is none.
[[nodiscard]] std::filesystem::path find_esbuild(const std::filesystem::path& install,
                                                 const std::string& setting);

struct Bundle {
  std::string entry;  ///< the file to run, relative to the folder
  std::vector<std::string> warnings;
};

struct BundleOptions {
  std::vector<std::filesystem::path> layers{};  ///< of packages: what may be imported besides the folder
  std::filesystem::path hidden{};  ///< the data folder; empty: nothing more than sandbox/confined.h hides
  std::chrono::milliseconds limit{60'000};  ///< of a run of esbuild; there are up to two
  std::uint64_t memory = 2ULL << 30U;       ///< bytes of data of esbuild's process
  std::uint64_t min_free = 512ULL << 20U;   ///< bytes of the folder's disk that it must leave
  std::stop_token stop{};
};

/// Bundles `entry` (relative to `folder`) and all it imports into one file beside it, ES module or CommonJS
/// as the entry is, with its source map inside, so that errors have the lines of the source. Packages with
/// native code stay outside and `node_modules` (a folder, or a link into one of the layers) stays for them;
/// otherwise it is removed. esbuild runs confined, as the tools that build do.
///
/// Errors: build_failed (esbuild is missing, hangs), syntax_error (details file, line, column; the first
/// of what esbuild found, the others are in the message), unsafe_path (an import from outside the folder and
/// the layers).
[[nodiscard]] Result<Bundle> bundle(const std::filesystem::path& esbuild, const std::filesystem::path& folder,
                                    const std::string& entry, const BundleOptions& options = {});

}  // namespace mayfly::registry
