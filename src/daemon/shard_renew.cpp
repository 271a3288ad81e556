// Shard: new templates for versions whose secrets or datasets have changed.
#include <boost/asio/post.hpp>

#include "daemon/shard.h"

namespace mayfly::daemon {
namespace asio = boost::asio;

void Shard::renew(const registry::Listed& changed, std::function<void(std::vector<Renewed>)> then) {
  std::vector<registry::VersionPtr> affected;
  for (const auto& [name, versions] : functions_)
    for (const auto& [number, entry] : versions)
      if (entry->scheduler && registry::lists(entry->version->config, changed))
        affected.push_back(entry->version);
  if (affected.empty()) return then({});
  struct All {
    std::vector<Renewed> done;
    std::size_t wanted;
    std::function<void(std::vector<Renewed>)> then;
  };
  const auto all = std::make_shared<All>(All{{}, affected.size(), std::move(then)});
  for (const auto& version : affected)
    renew_version(version, [all, version](std::optional<Error> error) {
      all->done.push_back({version, std::move(error)});
      if (all->done.size() == all->wanted) all->then(std::move(all->done));
    });
}

/// The place where a version is served; nothing if it is not served (any more).
Shard::Served* Shard::find_served(const registry::Version& version) {
  const auto function = functions_.find(version.function);
  if (function == functions_.end()) return nullptr;
  const auto slot = function->second.find(version.number);
  if (slot == function->second.end() || slot->second->version->digest != version.digest) return nullptr;
  return slot->second->scheduler ? slot->second.get() : nullptr;
}

void Shard::renew_version(const registry::VersionPtr& version, const RenewedHandler& done) {
  using Template = pool::Pool::Template;
  auto* entry = find_served(*version);
  if (entry == nullptr || entry->scheduler->pool().template_state() == Template::none)
    return done(std::nullopt);  // nothing holds the old value
  if (entry->scheduler->pool().template_state() == Template::building) {
    // With the old value perhaps. Who waits for it (a deploy, requests) gets it; what comes later does not.
    return entry->scheduler->pool().prepare([this, version, done](const Result<void>&) {
      asio::post(io_, [this, version, done] { renew_version(version, done); });
    });
  }
  const unsigned renewal = ++entry->renewals;
  entry->successor = make_scheduler(*entry);  // one that was begun before has an older value
  entry->successor->pool().prepare([this, version, renewal, done](const Result<void>& result) {
    // Not from inside its own callback.
    asio::post(io_, [this, version, renewal, result, done] { on_successor(version, renewal, result, done); });
  });
}

void Shard::on_successor(const registry::VersionPtr& version, unsigned renewal, const Result<void>& result,
                         const RenewedHandler& done) {
  auto* entry = find_served(*version);
  if (entry == nullptr || entry->renewals != renewal) return done(std::nullopt);
  auto successor = std::exchange(entry->successor, nullptr);
  if (!result) return done(result.error());
  auto old = std::make_unique<Served>();
  old->version = entry->version;
  old->stats = entry->stats;
  old->scheduler = std::exchange(entry->scheduler, std::move(successor));
  entry->scheduler->keep_minimum(old->scheduler->minimum());
  retire(std::move(old));
  done(std::nullopt);
}

}  // namespace mayfly::daemon
