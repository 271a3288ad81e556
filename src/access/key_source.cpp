#include "access/key_source.h"

#include <algorithm>

namespace mayfly::access {
namespace {

MonotonicTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

KeySource::KeySource(const KeySourceOptions& options, Publish publish, Say say)
    : options_(options), publish_(std::move(publish)), say_(std::move(say)), thread_([this] { run(); }) {}

KeySource::~KeySource() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void KeySource::want(std::set<std::string> locations) {
  {
    const std::lock_guard lock(mutex_);
    if (std::erase_if(places_, [&](const auto& place) { return !locations.contains(place.first); }) > 0)
      forgotten_ = true;
    for (const auto& location : locations) places_.try_emplace(location);
  }
  changed_.notify_one();
}

void KeySource::refresh(const std::string& location) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(location);
    if (found == places_.end()) return;
    found->second.next = std::min(found->second.next, found->second.last + options_.pause);
  }
  changed_.notify_one();
}

void KeySource::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (std::exchange(forgotten_, false)) publish_(table());
    const auto first =
        std::ranges::min_element(places_, {}, [](const auto& place) { return place.second.next; });
    if (first == places_.end()) {
      changed_.wait(lock);
    } else if (first->second.next > now()) {
      const auto until = first->second.next;
      changed_.wait_until(lock, until);
    } else {
      const std::string location = first->first;
      lock.unlock();
      const auto text = read_location(location, options_);
      lock.lock();
      take(location, text);
    }
  }
}

/// What was read, if it is still wanted.
void KeySource::take(const std::string& location, const Result<std::string>& text) {
  const auto found = places_.find(location);
  if (found == places_.end()) return;
  auto& place = found->second;
  place.last = now();
  Result<void> state;
  if (!text) {
    state = std::unexpected(text.error());
  } else if (!place.keys || place.text != *text) {
    if (auto keys = KeySet::parse(*text)) {
      place.keys = std::make_shared<const KeySet>(std::move(*keys));
      place.text = *text;
      publish_(table());
    } else {
      state = fail(keys.error().code, location + ": " + keys.error().message);
    }
  }
  const bool file = location.starts_with('/');
  const std::chrono::seconds often =
      file ? options_.file_interval : std::chrono::seconds(options_.url_interval);
  place.next = place.last + (state ? often : options_.pause);
  if (place.failing != !state) say_(location, state);
  place.failing = !state;
}

KeySetsPtr KeySource::table() const {
  auto sets = std::make_shared<KeySets>();
  for (const auto& [location, place] : places_)
    if (place.keys) sets->emplace(location, place.keys);
  return sets;
}

}  // namespace mayfly::access
