#include "access/key_source.h"

#include <algorithm>

#include "access/key_download.h"
#include "access/key_location.h"
#include "outbound/url.h"

namespace mayfly::access {
namespace {

MonotonicTime now() { return std::chrono::steady_clock::now(); }

/// Who is asked for a URL.
std::string server_of(const std::string& location) {
  const auto url = outbound::parse_url(location);
  return url ? url->scheme + "://" + url->authority : std::string();
}

}  // namespace

KeySource::KeySource(const KeySourceOptions& options, Publish publish, Say say)
    : options_(options),
      publish_(std::move(publish)),
      say_(std::move(say)),
      client_({.rules = options.rules, .most = options.most_at_once}),
      thread_([this] { run(); }) {}

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
    if (found == places_.end() || found->second.failures > 0) return;  // it is asked again as it is
    found->second.next = std::min(found->second.next, found->second.last + options_.pause);
  }
  changed_.notify_one();
}

void KeySource::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (std::exchange(forgotten_, false)) publish_(table());
    for (const auto& each : std::exchange(arrived_, {})) take(each);
    const auto next = next_place();
    if (next == places_.end()) {
      changed_.wait(lock);
    } else if (next->second.next > now()) {
      const auto until = next->second.next;
      changed_.wait_until(lock, until);
    } else {
      read(std::string(next->first), lock);
    }
  }
}

/// The one whose turn is first, of those that may be read now.
KeySource::Places::iterator KeySource::next_place() {
  auto first = places_.end();
  for (auto place = places_.begin(); place != places_.end(); ++place)
    if ((first == places_.end() || place->second.next < first->second.next) && may_be_read(place->first))
      first = place;
  return first;
}

bool KeySource::may_be_read(const std::string& location) const {
  if (is_key_file(location)) return true;
  if (reading_.size() >= options_.most_at_once || reading_.contains(location)) return false;
  const auto server = server_of(location);
  const auto of_server = std::ranges::count(reading_, server, [](const auto& each) { return each.second; });
  return std::cmp_less(of_server, options_.most_of_host);
}

void KeySource::read(const std::string& location, std::unique_lock<std::mutex>& lock) {
  if (is_key_file(location)) {
    lock.unlock();
    auto text = read_key_file(location);
    lock.lock();
    return take({location, std::move(text)});
  }
  reading_.emplace(location, server_of(location));
  download_keys(client_, location, options_.longest, [this, location](Result<std::string> text) {
    {
      const std::lock_guard arriving(mutex_);
      arrived_.push_back({location, std::move(text)});
    }
    changed_.notify_one();
  });
}

/// What was read, if it is still wanted.
void KeySource::take(const Arrived& arrived) {
  const auto& [location, text] = arrived;
  reading_.erase(location);
  const auto found = places_.find(location);
  if (found == places_.end()) return;
  auto& place = found->second;
  place.last = now();
  auto state = text ? keep(place, *text) : Result<State>(std::unexpected(text.error()));
  std::string why;
  if (!state)
    why = text ? location + ": " + state.error().message : text.error().message;
  else if (*state == State::empty)
    why = location + ": " + std::string(place.keys->why_none());
  place.failures = state ? 0 : place.failures + 1;
  place.next = next_of(location, place);
  const auto current = state ? *state : state_without_read(place);
  if (current != std::exchange(place.state, current)) say_(location, current, why);
}

/// It takes the place of what was read before, also if there is no key in it: that is how one is withdrawn.
Result<KeySource::State> KeySource::keep(Place& place, const std::string& text) {
  if (!place.keys || place.text != text) {
    auto keys = KeySet::parse(text);
    if (!keys) return propagate(keys);
    place.keys = std::make_shared<const KeySet>(std::move(*keys));
    place.text = text;
    publish_(table());
  }
  place.good = place.last;
  return place.keys->size() > 0 ? State::good : State::empty;
}

/// An issuer may be down, but not for ever: what it has withdrawn meanwhile is not known.
KeySource::State KeySource::state_without_read(Place& place) {
  if (!place.keys) return place.state == State::expired ? State::expired : State::failing;
  if (place.last - place.good < options_.oldest) return State::failing;
  place.keys.reset();
  place.text.clear();
  publish_(table());
  return State::expired;
}

/// One that fails again and again is asked less and less often.
MonotonicTime KeySource::next_of(const std::string& location, const Place& place) const {
  const bool is_file = is_key_file(location);
  const std::chrono::seconds often =
      is_file ? options_.file_interval : std::chrono::seconds(options_.url_interval);
  if (place.failures == 0) return place.last + often;
  const auto pause = options_.pause * (1U << std::min(place.failures - 1, 10U));
  return place.last + std::min<std::chrono::milliseconds>(pause, std::min(often, options_.longest_pause));
}

KeySetsPtr KeySource::table() const {
  auto sets = std::make_shared<KeySets>();
  for (const auto& [location, place] : places_)
    if (place.keys) sets->emplace(location, place.keys);
  return sets;
}

}  // namespace mayfly::access
