// What is kept in the data folder, and in memory because of it.
#pragma once

#include <memory>

#include "access/keys.h"
#include "admin/tokens.h"
#include "base/clock.h"
#include "cli/serve_options.h"
#include "datasets/datasets.h"
#include "registry/registry.h"
#include "secrets/secrets.h"

namespace mayfly::daemon {

/// They live on the control thread.
struct Stores {
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<admin::Tokens> tokens;
  std::unique_ptr<access::Keys> keys;
  std::unique_ptr<secrets::Secrets> secrets;
  std::unique_ptr<datasets::Datasets> datasets;
};

/// Opens all, and loads the datasets, which takes as long as reading them takes. One that cannot be loaded is
/// no error: functions that list it are. The clock outlives them.
[[nodiscard]] Result<Stores> open_stores(const cli::ServeOptions& options, const Clock& clock);

}  // namespace mayfly::daemon
