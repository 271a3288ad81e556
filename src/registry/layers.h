// Dependencies of functions on disk: DIR/layers/<digest>/…, each built once, read-only, shared by all
// versions that list it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/source_store.h"

namespace mayfly::registry {

/// How large a layer may be.
struct LayerLimits {
  std::uint64_t bytes = 1ULL << 30U;
  std::uint64_t files = 100'000;  ///< and folders
};

/// too_large (details `limit` and `size`): what is in a folder is more than this.
[[nodiscard]] Result<void> check_size(const std::filesystem::path& folder, const LayerLimits& limits);

/// Adds to the text that a layer is made from. No two lists of fields give the same text: whoever chooses a
/// value chooses nothing but that.
void add_field(std::string& recipe, std::string_view name, std::string_view value);

/// A layer's address is the digest of a text that names all it was made from: lock file, tool, platform.
/// Copies are the same store; any thread.
class LayerStore {
  struct State;

 public:
  using Pin = SourceStore::Pin;
  /// Makes the content of a layer in an empty folder, which may be changed until it returns.
  using Fill = std::function<Result<void>(const std::filesystem::path& folder)>;

  [[nodiscard]] static Result<LayerStore> open(const SourceStore& sources);

  /// The layer that was made from `recipe`. If it is not there, it is filled in a folder for staging, sealed,
  /// renamed to its address and synced. Who asks for it meanwhile waits. Blocks. Errors: those of `fill`,
  /// too_large, errno.
  [[nodiscard]] Result<Pin> get(std::string_view recipe, const LayerLimits& limits, const Fill& fill) const;

  /// An empty folder for the time of a build, removed with its owner.
  [[nodiscard]] Result<TempFolder> stage() const { return folders_.stage(); }
  [[nodiscard]] std::filesystem::path path(const std::string& digest) const { return folders_.path(digest); }
  /// The data folder.
  [[nodiscard]] std::filesystem::path data() const { return folders_.data(); }
  /// Takes out all layers but these and the pinned ones.
  std::vector<SourceStore::Trash> retain(const std::set<std::string>& digests) const {
    return folders_.retain(digests);
  }

 private:
  LayerStore(SourceStore folders, std::shared_ptr<State> state)
      : folders_(std::move(folders)), state_(std::move(state)) {}

  SourceStore folders_;
  std::shared_ptr<State> state_;
};

}  // namespace mayfly::registry
