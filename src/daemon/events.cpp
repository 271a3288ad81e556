#include "daemon/events.h"

#include "daemon/event_functions.h"

namespace mayfly::daemon {

Result<std::unique_ptr<Events>> Events::open(const std::filesystem::path& folder,
                                             std::vector<std::unique_ptr<Shard>>& shards,
                                             const outbound::AddressRules& addresses) {
  auto secret = callbacks::Secret::load_or_create(folder);
  if (!secret) return propagate(secret);
  events::SqliteStoreOptions options;
  options.file = folder / "events.db";
  auto store = events::SqliteStore::open(options);
  if (!store) return propagate(store);
  return std::unique_ptr<Events>(new Events(std::move(*store), shards, std::move(*secret), addresses));
}

Events::Events(std::unique_ptr<events::SqliteStore> store, std::vector<std::unique_ptr<Shard>>& shards,
               callbacks::Secret secret, const outbound::AddressRules& addresses)
    : secret_(std::move(secret)),
      addresses_(addresses),
      callback_rules_(addresses_),
      delivery_(shards),
      engine_(std::make_unique<events::Engine>(*store, delivery_, clock_)),
      pipelines_(std::make_unique<pipelines::Pipelines>(
          *engine_,
          [engine = engine_.get()](const std::string& name, const pipelines::DefinitionPtr& stored) {
            engine->set_function(std::string(events::kPipelinePrefix) + name,
                                 events_of_pipeline(name, stored));
          })),
      sender_(secret_, addresses_, clock_),
      store_(std::move(store)) {
  delivery_.set_executor(engine_->executor());
  sender_.set_executor(engine_->executor());
  delivery_.set_callbacks(sender_);
  engine_->use_callbacks(callback_rules_, callbacks::callback_policy());
  engine_->start();
  pipelines_->start();
}

void Events::set_function(const std::string& name, const registry::FunctionPtr& function) {
  if (!function) return engine_->set_function(name, std::nullopt);
  engine_->set_function(name, events_of(*function));
}

}  // namespace mayfly::daemon
