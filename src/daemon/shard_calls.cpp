// Functions that call functions, and what is wrapped around them: who runs what, here or on another shard.
#include <algorithm>

#include "daemon/shard.h"
#include "intake/publish_request.h"

namespace mayfly::daemon {
namespace {

using pool::CallErrc;

/// "image-*" and whatever begins like it, or the same name.
bool fits(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

bool lists(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return fits(pattern, name); });
}

std::unexpected<Error> call_not_allowed(const registry::Version& caller, const std::string& name) {
  auto error = fail(CallErrc::not_allowed, "'" + name + "' is not public, so " + caller.address() +
                                               " has to list it: calls = [\"" + name + "\"] in [functions." +
                                               caller.function + "]");
  error.error().with("key", "calls").with("function", name);
  return error;
}

std::unexpected<Error> topic_not_allowed(const registry::Version& caller, const std::string& name) {
  auto error =
      fail(CallErrc::topic_not_allowed, caller.address() + " has to list the topic: publishes = [\"" + name +
                                            "\"] in [functions." + caller.function + "]");
  error.error().with("key", "publishes").with("topic", name);
  return error;
}

std::unexpected<Error> chain_too_long(const std::string& function) {
  const auto limit = std::to_string(pool::kMaxDepth);
  auto error = fail(CallErrc::depth, "more than " + limit + " decorators are around '" + function +
                                         "': one of them is around itself?");
  error.error().with("limit", limit);
  return error;
}

}  // namespace

Result<pool::Callee> Shard::callee(const wire::CallHead& head, const pool::Caller& caller) {
  if (head.kind == wire::CallKind::invoke) return called_function(head.name, *caller.version, head.headers);
  if (head.kind == wire::CallKind::publish) {
    const std::string topic(head.name);
    if (!lists(caller.version->config.publishes, topic)) return topic_not_allowed(*caller.version, topic);
    return topic_callee(topic);
  }
  if (!caller.chain.has_next())
    return fail(CallErrc::no_next, caller.version->address() +
                                       " is not around a function here: only a decorator that was called as "
                                       "one (wrap = [\"" +
                                       caller.version->function + "\"]) has a next");
  const auto at = caller.chain.at + 1;
  return pool::Callee{.service = service_of((*caller.chain.links)[at]),
                      .max_request = caller.chain.links->back()->config.max_request,
                      .chain = {caller.chain.links, at}};
}

Result<pool::Callee> Shard::topic_callee(const std::string& topic) {
  if (options_.events == nullptr) return fail(CallErrc::no_events, "nothing takes events on this daemon");
  if (intake::topic_of("/topics/" + topic) != topic)
    return fail(CallErrc::bad_call, "'" + topic.substr(0, 80) + "' cannot be the name of a topic");
  auto own = std::make_shared<intake::PublishRequest>(intake::Place{io_.get_executor(), deadlines_},
                                                      *options_.events, topic);
  pool::Callee callee{.max_request = intake::PublishRequest::kMaxBody};
  callee.service = own.get();
  callee.own = std::move(own);
  return callee;
}

Result<pool::Callee> Shard::called_function(std::string_view called, const registry::Version& caller,
                                            std::string_view headers) {
  const auto at = called.find('@');
  const std::string name(called.substr(0, at));
  const auto function = table_->find(name);
  if (!function)
    return fail(router::RouterErrc::unknown_function, "there is no function '" + name.substr(0, 80) + "'");
  const auto reference = at == std::string_view::npos ? std::string_view{} : called.substr(at + 1);
  auto version = router::choose_version(*function, reference, headers, static_cast<std::uint32_t>(random_()));
  if (!version) return propagate(version);
  const bool is_open = access::rule_of(*function, **version).access == registry::Access::everyone;
  if (!is_open && name != caller.function && !lists(caller.config.calls, name))
    return call_not_allowed(caller, name);
  auto chain = chain_of(*version, headers);
  if (!chain) return propagate(chain);
  const auto timeout = (*version)->config.timeout;
  pool::Callee callee{.timeout = timeout, .max_request = (*version)->config.max_request};
  if (chain->links) callee.deadline_owner = {(*version)->address(), timeout};
  const auto& first = chain->links ? chain->links->front() : *version;
  callee.service = service_of(first);
  callee.chain = std::move(*chain);
  // Another shard learns from it who is meant.
  if (!callee.chain.links && home_shard(name, options_.count) != options_.index)
    callee.chain.links = std::make_shared<const pool::Chain::Links>(1, *version);
  return callee;
}

Result<pool::Chain> Shard::chain_of(const registry::VersionPtr& version, std::string_view headers) {
  const auto function = table_->find(version->function);
  if (!function) return pool::Chain{};
  // What takes an upstream's invocations learns from the chain which one is meant.
  const bool is_upstream = version->runtime == registry::Runtime::upstream;
  if (router::wrap_of(*function, *version).empty() && !is_upstream) return pool::Chain{};
  pool::Chain::Links links;
  if (auto done = append_links(links, version, headers, 0); !done) return propagate(done);
  return pool::Chain{std::make_shared<const pool::Chain::Links>(std::move(links)), 0};
}

Result<void> Shard::append_links(pool::Chain::Links& links, const registry::VersionPtr& version,
                                 std::string_view headers, unsigned depth) {
  const auto function = table_->find(version->function);
  if (depth >= pool::kMaxDepth || links.size() > pool::kMaxDepth) return chain_too_long(version->function);
  if (function) {
    for (const auto& name : router::wrap_of(*function, *version)) {
      const auto decorator = table_->find(name);
      if (!decorator)
        return fail(CallErrc::missing_decorator, "'" + version->function + "' is wrapped by '" + name +
                                                     "', and there is no function of that name");
      auto chosen = router::choose_version(*decorator, {}, headers, static_cast<std::uint32_t>(random_()));
      if (!chosen) return propagate(chosen);
      if (auto done = append_links(links, *chosen, headers, depth + 1); !done) return propagate(done);
    }
  }
  links.push_back(version);
  return {};
}

pool::Service* Shard::service_of(const registry::VersionPtr& version) {
  if (version->runtime == registry::Runtime::upstream) return &upstreams_;
  const auto shard = home_shard(version->function, options_.count);
  if (shard != options_.index) return &remote_.service(shard);
  return served(version).scheduler.get();
}

/// The version may have been removed while the invocation was under way.
Result<pool::Service*> Shard::guest_service(const pool::Chain& chain) {
  const auto& version = chain.links->at(chain.at);
  const auto function = table_->find(version->function);
  if (!function || !function->versions.contains(version->number))
    return fail(scheduler::SchedulerErrc::unavailable, "this version is being removed");
  return served(function->versions.at(version->number)).scheduler.get();
}

const access::Rule& Shard::rule_for(const registry::Function& function, const registry::VersionPtr& version) {
  const auto found = rules_of_wrapped_.find(version);
  if (found != rules_of_wrapped_.end()) return found->second;
  return rules_of_wrapped_.emplace(version, access::rule_of(function, *version)).first->second;
}

void Shard::end_calls() {
  const auto end = [](const Served& entry) {
    if (entry.scheduler) entry.scheduler->pool().end_calls();
    if (entry.successor) entry.successor->pool().end_calls();
  };
  for (const auto& [name, versions] : functions_)
    for (const auto& [number, entry] : versions) end(*entry);
  for (const auto& entry : retired_) end(*entry);
}

}  // namespace mayfly::daemon
