#include "registry/layers.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/text.h"
#include "registry/error.h"

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

void add_field(std::string& recipe, std::string_view name, std::string_view value) {
  recipe += std::string(name) + " " + std::to_string(value.size()) + ":" + std::string(value) + "\n";
}

Result<LayerStore> LayerStore::open(const SourceStore& sources) {
  auto folders = sources.beside("layers");
  if (!folders) return propagate(folders);
  return LayerStore(std::move(*folders), std::make_shared<State>());
}

Result<void> check_size(const std::filesystem::path& folder, const LayerLimits& limits) {
  namespace fs = std::filesystem;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    ++files;
    const auto status = it->symlink_status(error);
    if (!error && fs::is_regular_file(status)) bytes += it->file_size(error);
    if (error) break;
  }
  if (error) return fail_errno("read what was built", error.value());
  const auto refuse = [](const std::string& size, const std::string& limit) {
    auto large = fail(RegistryErrc::too_large,
                      "what was installed or built is too large: " + size + "; the limit is " + limit);
    large.error().with("limit", limit).with("size", size);
    return large;
  };
  if (bytes > limits.bytes) return refuse(format_size(bytes), format_size(limits.bytes));
  if (files > limits.files)
    return refuse(std::to_string(files) + " files", std::to_string(limits.files) + " files");
  return {};
}

Result<LayerStore::Pin> LayerStore::get(std::string_view recipe, const LayerLimits& limits,
                                        const Fill& fill) const {
  const auto digest = digest_of_text(recipe);
  if (auto pin = folders_.pin(digest)) return std::move(*pin);
  const Turn turn(*state_, digest);
  if (auto pin = folders_.pin(digest)) return std::move(*pin);  // made by the one that had the turn before
  auto staged = folders_.stage();
  if (!staged) return propagate(staged);
  const auto folder = staged->path() / "layer";
  std::filesystem::create_directory(folder);
  if (auto filled = fill(folder); !filled) return propagate(filled);
  if (auto checked = check_size(folder, limits); !checked) return propagate(checked);
  auto pin = folders_.take(folder, digest);
  if (!pin) return pin;
  if (auto synced = folders_.sync(digest); !synced) {
    pin = Result<LayerStore::Pin>(propagate(synced));  // the next one is not to find it
    (void)folders_.take_out(digest);
  }
  return pin;
}

}  // namespace mayfly::registry
