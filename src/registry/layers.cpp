#include "registry/layers.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace mayfly::registry {

struct LayerStore::State {
  std::mutex mutex;
  std::condition_variable ended;
  std::set<std::string> building;
};

namespace {

/// The right to build one layer; waits for it.
template <class State>
class Turn {
 public:
  Turn(State& state, const std::string& digest) : state_(state), digest_(digest) {
    std::unique_lock lock(state_.mutex);
    state_.ended.wait(lock, [&] { return state_.building.insert(digest_).second; });
  }
  ~Turn() {
    {
      const std::lock_guard lock(state_.mutex);
      state_.building.erase(digest_);
    }
    state_.ended.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  State& state_;
  const std::string& digest_;
};

}  // namespace

Result<LayerStore> LayerStore::open(const SourceStore& sources) {
  auto folders = sources.beside("layers");
  if (!folders) return propagate(folders);
  return LayerStore(std::move(*folders), std::make_shared<State>());
}

Result<LayerStore::Pin> LayerStore::get(std::string_view recipe, const Fill& fill) const {
  const auto digest = digest_of_text(recipe);
  if (auto pin = folders_.pin(digest)) return std::move(*pin);
  const Turn turn(*state_, digest);
  if (auto pin = folders_.pin(digest)) return std::move(*pin);  // made by the one that had the turn before
  auto staged = folders_.stage();
  if (!staged) return propagate(staged);
  const auto folder = staged->path() / "layer";
  std::filesystem::create_directory(folder);
  if (auto filled = fill(folder); !filled) return propagate(filled);
  auto pin = folders_.take(folder, digest);
  if (!pin) return pin;
  if (auto synced = folders_.sync(digest); !synced) return propagate(synced);
  return pin;
}

}  // namespace mayfly::registry
