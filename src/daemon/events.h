// The daemon's events: store, engine and delivery, put together.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "callbacks/callback_rules.h"
#include "callbacks/sender.h"
#include "daemon/event_delivery.h"
#include "events/engine.h"
#include "events/sqlite_store.h"
#include "pipelines/pipelines.h"
#include "registry/function.h"

namespace mayfly::daemon {

/// Belongs to the control thread but for engine(), which is thread-safe as its header says.
class Events {
 public:
  /// `folder` gets events.db and the secret of callbacks, which are sent to `addresses` alone. The
  /// shards outlive it, and have stopped before it goes.
  [[nodiscard]] static Result<std::unique_ptr<Events>> open(const std::filesystem::path& folder,
                                                            std::vector<std::unique_ptr<Shard>>& shards,
                                                            const outbound::AddressRules& addresses);
  ~Events() { stop(std::chrono::milliseconds(0)); }
  /// From now on no delivery begins.
  void quiesce() { engine_->quiesce(); }
  /// What is running has `patience` to end.
  void stop(std::chrono::milliseconds patience) { engine_->stop(patience); }

  [[nodiscard]] const callbacks::Secret& callback_secret() const { return secret_; }
  [[nodiscard]] events::Engine& engine() { return *engine_; }
  [[nodiscard]] pipelines::Pipelines& pipelines() { return *pipelines_; }
  [[nodiscard]] events::StoreFigures figures() const { return store_->figures(); }
  /// A function changed; null: it was deleted.
  void set_function(const std::string& name, const registry::FunctionPtr& function);

 private:
  Events(std::unique_ptr<events::SqliteStore> store, std::vector<std::unique_ptr<Shard>>& shards,
         callbacks::Secret secret, const outbound::AddressRules& addresses);

  SystemClock clock_;
  const callbacks::Secret secret_;
  outbound::AddressRules addresses_;  // that callbacks may go to
  const callbacks::CallbackRules callback_rules_;
  EventDelivery delivery_;
  std::unique_ptr<events::Engine> engine_;
  std::unique_ptr<pipelines::Pipelines> pipelines_;
  callbacks::Sender sender_;  // goes before the engine, to which it answers
  // Goes first: its last answers go to the engine.
  std::unique_ptr<events::SqliteStore> store_;
};

}  // namespace mayfly::daemon
