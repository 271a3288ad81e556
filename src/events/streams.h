// The streams that there are, for whoever accepts events on any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "events/store.h"

namespace mayfly::events {

struct Stream {
  StreamId id = 0;
  std::string name;
  std::atomic<Position> newest{0};
  std::atomic<bool> open{false};  ///< everybody may publish to it
  /// More waits in it than may: the engine has a look before it takes another one.
  std::atomic<bool> full{false};
};
using StreamPtr = std::shared_ptr<Stream>;

/// Thread-safe. Streams are never removed.
class Streams {
 public:
  [[nodiscard]] StreamPtr find(std::string_view name) const {
    const std::shared_lock lock(mutex_);
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  [[nodiscard]] StreamPtr find(StreamId id) const {
    const std::shared_lock lock(mutex_);
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }
  /// Adds one, or gives the one that is there.
  StreamPtr add(const StreamInfo& info) {
    const std::unique_lock lock(mutex_);
    auto& slot = by_name_[info.name];
    if (slot) return slot;
    slot = std::make_shared<Stream>();
    slot->id = info.id;
    slot->name = info.name;
    slot->newest = info.newest;
    slot->open = info.open;
    by_id_[info.id] = slot;
    return slot;
  }
  /// Names that begin like this.
  [[nodiscard]] std::vector<std::string> names(std::string_view prefix) const {
    const std::shared_lock lock(mutex_);
    std::vector<std::string> names;
    for (auto at = by_name_.lower_bound(prefix); at != by_name_.end() && at->first.starts_with(prefix); ++at)
      names.push_back(at->first);
    return names;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, StreamPtr, std::less<>> by_name_;
  std::map<StreamId, StreamPtr> by_id_;
};

}  // namespace mayfly::events
