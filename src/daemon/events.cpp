#include "daemon/events.h"

#include "admin/view.h"
#include "daemon/event_functions.h"

namespace mayfly::daemon {

Result<std::unique_ptr<Events>> Events::open(const std::filesystem::path& folder,
                                             std::vector<std::unique_ptr<Shard>>& shards) {
  events::SqliteStoreOptions options;
  options.file = folder / "events.db";
  auto store = events::SqliteStore::open(options);
  if (!store) return propagate(store);
  return std::unique_ptr<Events>(new Events(std::move(*store), shards));
}

Events::Events(std::unique_ptr<events::SqliteStore> store, std::vector<std::unique_ptr<Shard>>& shards)
    : delivery_(shards),
      engine_(std::make_unique<events::Engine>(*store, delivery_, clock_)),
      store_(std::move(store)) {
  delivery_.set_executor(engine_->executor());
  engine_->start();
}

void Events::set_function(const std::string& name, const registry::FunctionPtr& function) {
  if (!function) return engine_->set_function(name, std::nullopt);
  delivery_.set_runtime(name, admin::main_version(*function).runtime);
  engine_->set_function(name, events_of(*function));
}

}  // namespace mayfly::daemon
