// The steps of a deploy that block: from what was sent to a folder at its address.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/deploy_request.h"
#include "registry/function.h"
#include "registry/layers.h"
#include "registry/source_store.h"

namespace mayfly::registry {

struct Built {
  SourceStore::Pin source;  ///< keeps it until a row refers to it
  std::string digest;       ///< of source, layers, entry and configuration together
  Runtime runtime = Runtime::node;
  std::string entry;
  FunctionConfig config;
  bool says_access = false;                  ///< who may call is written down, not only the default
  std::vector<LayerStore::Pin> layers;       ///< of its dependencies
  std::vector<std::filesystem::path> links;  ///< relative: the links to them in the source
  std::vector<std::string> warnings;
};

/// Stages and unpacks the source, reads its mayfly.toml, finds the entry, bundles it if Node cannot run it
/// as it is, and moves all to its content address. No process is started for plain JavaScript. On an error
/// nothing is left on disk. Any thread; throws nothing.
///
/// Where no package.json says what .js files are, one is written: "module" or "commonjs" by the syntax of
/// the entry. So the same source means the same in every place and on every Node, and Node need not guess.
[[nodiscard]] Result<Built> build(const DeployRequest& request, const SourceStore& sources,
                                  const LayerStore& layers, const DeployOptions& options);

}  // namespace mayfly::registry
