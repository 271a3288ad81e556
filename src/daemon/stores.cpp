#include "daemon/stores.h"

#include <spdlog/spdlog.h>

#include <filesystem>

#include "daemon/host.h"

namespace mayfly::daemon {
namespace {

Result<std::unique_ptr<datasets::Datasets>> open_datasets(const cli::ServeOptions& options,
                                                          const Clock& clock) {
  const auto budget = options.dataset_budget > 0 ? options.dataset_budget : half_of_memory();
  auto opened = datasets::Datasets::open({std::filesystem::absolute(options.data), budget, &clock});
  if (!opened) return opened;
  (*opened)->load_all();
  for (const auto& dataset : (*opened)->list())
    if (dataset.failure)
      spdlog::error("the dataset '{}' is not loaded: {}", dataset.name, dataset.failure->message);
  return opened;
}

}  // namespace

Result<Stores> open_stores(const cli::ServeOptions& options, const Clock& clock) {
  const auto& data = options.data;
  auto registry = registry::Registry::open({data, nullptr, {}});
  if (!registry) return propagate(registry);
  auto tokens = admin::Tokens::open(data, clock);
  if (!tokens) return propagate(tokens);
  auto keys = access::Keys::open(data, clock);
  if (!keys) return propagate(keys);
  auto secrets = secrets::Secrets::open({.data = data});
  if (!secrets) return propagate(secrets);
  if (const auto locked = (*secrets)->locked()) spdlog::error("secrets cannot be read: {}", locked->message);
  auto datasets = open_datasets(options, clock);
  if (!datasets) return propagate(datasets);
  return Stores{std::move(*registry), std::move(*tokens), std::move(*keys), std::move(*secrets),
                std::move(*datasets)};
}

}  // namespace mayfly::daemon
