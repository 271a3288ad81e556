// A shard's word on who may call, and how often it had to say no.
#include "daemon/shard.h"

namespace mayfly::daemon {

/// Whether this caller may; what is for the platform stays here, who calls goes along.
Result<void> Shard::admit(const access::Rule& rule, const std::string& function, gateway::RequestHead& head,
                          gateway::Destination& destination) {
  if (rule.open()) return {};
  auto admission = guard_.admit(rule, function, head.headers);
  if (!admission) return propagate(admission);
  if (admission->credential.size > 0) head.take_off(admission->credential.begin, admission->credential.size);
  head.headers += admission->identity;
  destination.answer_fields = std::move(admission->limits);
  return {};
}

/// Who may publish: who has an API key that is for this topic ("topics/NAME"), or for everything.
Result<void> Shard::admit_publisher(const std::string& topic, gateway::RequestHead& head,
                                    gateway::Destination& destination) {
  if (options_.events->is_open_topic(topic)) return {};
  if (head.method == "OPTIONS") return {};  // a web hook's handshake carries no credential
  return admit_key("topics/" + topic, head, destination);
}

/// Who may start runs; who has a run's id may look at it and send it events.
Result<void> Shard::admit_starter(const intake::PipelinePath& path, gateway::RequestHead& head,
                                  gateway::Destination& destination) {
  if (!path.run.empty()) return {};
  const auto stored = options_.pipelines->find(path.pipeline);
  if (stored && stored->definition.access == pipelines::Access::everyone) return {};
  return admit_key("pipelines/" + path.pipeline, head, destination);
}

/// An API key for this, or for everything.
Result<void> Shard::admit_key(const std::string& what, gateway::RequestHead& head,
                              gateway::Destination& destination) {
  access::Rule rule;
  rule.access = registry::Access::key;
  return admit(rule, what, head, destination);
}

const std::shared_ptr<gateway::Refusals>& Shard::refusals_of(const std::string& function) {
  auto& refusals = refusals_[function];
  if (!refusals) refusals = std::make_shared<gateway::Refusals>();
  return refusals;
}

/// The function is deleted.
void Shard::forget_callers(const std::string& function) {
  guard_.forget(function);
  refusals_.erase(function);
  upstreams_.forget_outcomes(function);
}

Shard::RefusalFigures Shard::refusals() const {
  RefusalFigures all;
  for (const auto& [function, refusals] : refusals_)
    for (const auto& [reason, count] : refusals->by_reason) all[function][reason] = count;
  return all;
}

}  // namespace mayfly::daemon
