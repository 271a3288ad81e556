#include "daemon/shard.h"

#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <span>
#include <utility>

#include "base/hex.h"
#include "intake/async_request.h"
#include "intake/pipeline_request.h"
#include "intake/publish_request.h"
#include "intake/status_request.h"
#include "pool/process_memory.h"
#include "registry/error.h"
#include "router/route_fields.h"

namespace mayfly::daemon {
namespace asio = boost::asio;
using nlohmann::json;
namespace {

/// So often are connections and instances looked at before what they bring about is written. More gathers
/// more frames into one write (and wakes instances less often), fewer starts them earlier; nothing waits when
/// nothing more is ready. Measured at 64 connections: 1: 100 %, 4: 120 %, 16: 110 % of the throughput.
constexpr int kLooks = 4;

/// What a template on Node 20 writes to of the pages that it got from the runtime process.
constexpr std::uint64_t kCopiedByTemplate = 9U << 19U;

/// For requests that the platform answers itself.
constexpr milliseconds kOwnTimeout{30'000};

MonotonicTime now() { return std::chrono::steady_clock::now(); }

const char* template_name(pool::Pool::Template state) {
  switch (state) {
    case pool::Pool::Template::none:
      return "none";
    case pool::Pool::Template::building:
      return "building";
    case pool::Pool::Template::ready:
      return "ready";
    case pool::Pool::Template::direct:
      return "direct";
    case pool::Pool::Template::failed:
      return "failed";
  }
  return "";
}

/// How much memory one takes, and when the next idle one ends if nobody needs it and memory stays free.
void put_outlook(json& object, const pool::Account::Outlook& outlook) {
  object["memory_bytes"] = outlook.bytes;
  if (!outlook.ends) return;
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(*outlook.ends - now());
  object["ends_in_s"] = std::max<std::int64_t>(0, left.count());
}

}  // namespace

unsigned home_shard(std::string_view function, unsigned count) {
  return static_cast<unsigned>(std::hash<std::string_view>{}(function) % count);
}

Shard::Shard(const ShardOptions& options, RuntimeOf runtime_of, pool::LogSink& logs,
             asio::any_io_executor background, Mover mover)
    : options_(options),
      work_(io_.get_executor()),
      reactor_ready_(io_, ::fcntl(reactor_.fd(), F_DUPFD_CLOEXEC, 0)),
      deadlines_(now()),
      wheel_timer_(io_.get_executor(), deadlines_),
      background_(std::move(background)),
      guard_(clock_),
      warmth_(clock_, deadlines_,
              {{.budget = options_.memory},
               [this](int pid, bool is_template, auto then) { measure(pid, is_template, std::move(then)); }}),
      runtime_of_(std::move(runtime_of)),
      logs_(logs),
      stores_(options.stores),
      boxes_(options.boxes),
      mover_(std::move(mover)),
      capacity_(options_.max_instances),
      table_(std::make_shared<router::RouteTable>(std::vector<registry::FunctionPtr>{})),
      remote_(io_, [this](const pool::Chain& chain) { return guest_service(chain); }),
      upstreams_(io_.get_executor(), deadlines_, options_.upstreams, logs_),
      random_(std::random_device{}()) {
  guard_.refresh = options_.refresh_keys;
  if (options_.ledger != nullptr)
    meter_.emplace(clock_, deadlines_, [this](meter::UsageBatch& batch) { return hand_over(batch); });
  if (!options_.watch_lanes.empty())
    watch_.emplace(deadlines_,
                   pool::LimitWatch::Options{[this](pool::LimitWatch::Lane lane, auto work, auto then) {
                     const auto& executor = options_.watch_lanes.at(static_cast<std::size_t>(lane));
                     asio::post(executor, [this, work = std::move(work), then = std::move(then)] {
                       work();
                       asio::post(io_, then);
                     });
                   }});
  capacity_.make_room = [this] { warmth_.make_room(); };
  reactor_.wake = [this] { asio::post(io_, [this] { reactor_.finish_turn(); }); };
}

Shard::~Shard() { stop(); }

void Shard::start() {
  thread_ = std::thread([this] {
    serve_ready();
    io_.run();
    ending_ = true;
    // Everything of this shard ends on its own thread. First what goes from one function to the other.
    end_calls();
    remote_.stop();
    sessions_.clear();
    functions_.clear();
    retired_.clear();
    flush_usage();
  });
}

void Shard::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    for (auto* session : all_sessions()) session->close();
    io_.stop();
  });
  thread_.join();
}

void Shard::serve_ready() {
  reactor_ready_.async_wait(asio::posix::stream_descriptor::wait_read,
                            [this](const boost::system::error_code& error) {
                              if (error) return;
                              reactor_.turn(kLooks);
                              serve_ready();
                            });
}

bool Shard::hand_over(meter::UsageBatch& batch) {
  if (!ending_) return options_.ledger->take(batch);
  options_.ledger->take_last(std::move(batch));
  return true;
}

/// Elsewhere, since it takes its time.
void Shard::measure(int pid, bool is_template, std::function<void(std::uint64_t)> then) {
  asio::post(background_, [this, pid, is_template, then = std::move(then)] {
    const auto bytes =
        is_template ? pool::template_memory(pid, kCopiedByTemplate) : pool::private_memory(pid);
    asio::post(io_, [bytes, then] { then(bytes); });
  });
}

// --- Functions ---------------------------------------------------------------------------------------

Shard::Served& Shard::served(const registry::VersionPtr& version) {
  auto& slot = functions_[version->function][version->number];
  if (slot && slot->version != version && slot->version->digest != version->digest) {
    retire(std::exchange(slot, nullptr));  // a candidate whose number was given again
  }
  if (!slot) {
    slot = std::make_unique<Served>();
    slot->version = version;
    slot->stats = std::make_shared<pool::VersionStats>();
    slot->refusals = refusals_of(version->function);
    if (const auto function = table_->find(version->function))
      slot->rule = access::rule_of(*function, *version);
  }
  if (!slot->scheduler) slot->scheduler = make_scheduler(*slot);
  return *slot;
}

std::unique_ptr<scheduler::Scheduler> Shard::make_scheduler(const Served& entry) {
  return std::make_unique<scheduler::Scheduler>(
      pool::PoolContext{io_.get_executor(), reactor_, deadlines_, runtime_of_(*entry.version), logs_, warmth_,
                        stores_, boxes_, watch_ ? &*watch_ : nullptr, options_.groups, this,
                        meter_ ? &*meter_ : nullptr},
      capacity_, entry.version, entry.stats, options_.budgets);
}

void Shard::retire(std::unique_ptr<Served> served) {
  served->successor.reset();
  if (!served->scheduler) return;
  Served* raw = served.get();
  retired_.push_back(std::move(served));
  raw->scheduler->keep_minimum(0);
  raw->scheduler->drain([this, raw] {  // not from inside its own callback
    asio::post(io_,
               [this, raw] { std::erase_if(retired_, [&](const auto& one) { return one.get() == raw; }); });
  });
}

void Shard::publish(std::shared_ptr<const router::RouteTable> table, const std::string& name,
                    registry::FunctionPtr changed) {
  table_ = std::move(table);
  rules_of_wrapped_.clear();
  if (!changed) forget_callers(name);
  if (home_shard(name, options_.count) != options_.index) return;
  const auto found = functions_.find(name);
  if (found != functions_.end()) {
    for (auto version = found->second.begin(); version != found->second.end();) {
      const bool kept = (changed && changed->versions.contains(version->first)) || version->second->preparing;
      if (kept) {
        ++version;
        continue;
      }
      retire(std::move(version->second));
      version = found->second.erase(version);
    }
    if (changed)
      for (auto& [number, entry] : found->second) entry->rule = access::rule_of(*changed, *entry->version);
    if (found->second.empty()) functions_.erase(found);
  }
  if (!changed) return;
  for (const auto& [number, version] : changed->versions) {
    const bool has_traffic = changed->traffic.weights.contains(number);
    const int minimum = has_traffic ? version->config.min_instances : 0;
    if (has_traffic && (minimum > 0 || version->config.eager))
      served(version).scheduler->pool().prepare([](const Result<void>&) {});
    if (const auto slot = functions_.find(name); slot != functions_.end())
      if (const auto one = slot->second.find(number); one != slot->second.end() && one->second->scheduler)
        one->second->scheduler->keep_minimum(minimum);
  }
}

void Shard::prepare(const registry::VersionPtr& version, std::function<void(Result<void>)> then) {
  if (version->runtime == registry::Runtime::upstream) return then({});
  auto& entry = served(version);
  entry.preparing = true;
  entry.scheduler->pool().prepare([this, &entry, version, then](const Result<void>& result) {
    entry.preparing = false;
    if (!result) {
      // Not from inside its own callback.
      asio::post(io_, [this, version] {
        const auto found = functions_.find(version->function);
        if (found == functions_.end()) return;
        const auto slot = found->second.find(version->number);
        if (slot == found->second.end() || slot->second->version != version) return;
        retire(std::move(slot->second));
        found->second.erase(slot);
      });
    }
    then(result);
  });
}

void Shard::invoke(const std::shared_ptr<OneInvocation>& one) {
  const std::string_view name = one->request.function;
  const auto at = name.find('@');
  const auto function = table_->find(name.substr(0, at));
  if (!function)
    return one->fail(
        Error{registry::RegistryErrc::unknown_function, "no function '" + std::string(name) + "'", {}});
  const auto reference = at == std::string_view::npos ? std::string_view{} : name.substr(at + 1);
  auto version = router::choose_version(*function, reference, {}, static_cast<std::uint32_t>(random_()));
  if (!version) return one->fail(version.error());
  if (one->version) *one->version = (*version)->address();
  if (one->event_form && *one->event_form != event_form(**version))  // it has just changed: again, soon
    return one->fail(Error{
        scheduler::SchedulerErrc::unavailable, (*version)->address() + " takes events in another form", {}});
  if (one->request.invocation.size() == one->invocation.id.size())
    std::ranges::copy(one->request.invocation, one->invocation.id.begin());
  else
    new_invocation_id(one->invocation.id);
  const auto timeout = (*version)->config.timeout;
  one->begin(now(), std::min(timeout, one->request.timeout.value_or(timeout)));
  pool::Chain chain;
  if (!one->request.event) {  // decorators are for requests
    auto whole = chain_of(*version, one->invocation.headers);
    if (!whole) return one->fail(whole.error());
    chain = std::move(*whole);
  } else if ((*version)->runtime == registry::Runtime::upstream) {
    chain.links = std::make_shared<const pool::Chain::Links>(1, *version);
  }
  one->service = service_of(chain.links ? chain.links->front() : *version);
  if (chain.links) one->invocation.deadline_owner = {(*version)->address(), timeout};
  one->invocation.chain = std::move(chain);
  one->service->submit(one->invocation);
}

void Shard::evict(const std::string& function, bool templates) {
  const auto found = functions_.find(function);
  if (found == functions_.end()) return;
  for (auto& [number, entry] : found->second) {
    if (!entry->scheduler) continue;
    if (templates) {
      entry->scheduler->pool().end_template();
    } else {
      while (entry->scheduler->pool().end_idle()) {
      }
    }
  }
}

/// What the processes of a version use and may use together, and what this host cannot limit.
json Shard::limits(const pool::Pool& pool) const {
  json result = json::object();
  if (const auto* group = pool.group().group()) {
    const auto usage = group->usage();
    if (usage.memory) result["memory_bytes"] = *usage.memory;
    if (usage.memory_peak) result["memory_peak_bytes"] = *usage.memory_peak;
    if (group->has(sandbox::CgroupPart::memory)) result["memory_limit_bytes"] = pool.group().memory_limit();
    if (usage.cpu_ns) result["cpu_s"] = static_cast<double>(*usage.cpu_ns) / 1e9;
    if (usage.throttled) result["throttled"] = *usage.throttled;
    if (usage.processes) result["processes"] = *usage.processes;
    if (pool.group().held_back()) result["held_back"] = true;
  }
  if (!pool.group().problem().empty()) result["problem"] = pool.group().problem();
  return result;
}

json Shard::live(const std::string& function) {
  json result{{"instances", 0}, {"busy", 0}, {"waiting", 0}, {"templates", json::array()}};
  const auto found = functions_.find(function);
  json pids = json::array();
  std::uint64_t answered = 0, failed = 0, timed_out = 0, rejected = 0, cancelled = 0;
  if (found != functions_.end()) {
    for (const auto& [number, entry] : found->second) {
      if (!entry->scheduler) continue;
      const auto& scheduler = *entry->scheduler;
      const auto& pool = scheduler.pool();
      result["instances"] = result["instances"].get<int>() + pool.instances();
      result["busy"] = result["busy"].get<int>() + pool.instances() - pool.idle();
      result["waiting"] = result["waiting"].get<std::size_t>() + scheduler.waiting();
      json one{
          {"version", number}, {"state", template_name(pool.template_state())}, {"pid", pool.template_pid()}};
      if (!pool.warnings().empty()) one["reason"] = pool.warnings().front();
      if (pool.template_state() == pool::Pool::Template::failed)
        one["reason"] = scheduler.template_error().message;
      const bool has_template = pool.template_state() == pool::Pool::Template::ready;
      if (has_template) put_outlook(one, pool.account().template_());
      one["instances"] = {{"count", pool.instances()}};
      if (pool.instances() > 0) put_outlook(one["instances"], pool.account().instances());
      one["limits"] = limits(pool);
      result["templates"].push_back(std::move(one));
      for (const int pid : pool.pids()) pids.push_back(pid);
      answered += entry->stats->answered.get();
      failed += entry->stats->failed.get();
      timed_out += entry->stats->timed_out.get();
      rejected += entry->stats->rejected.get();
      cancelled += entry->stats->cancelled.get();
    }
  }
  result["pids"] = std::move(pids);
  result["invocations"] = {{"answered", answered},
                           {"failed", failed},
                           {"timed_out", timed_out},
                           {"rejected", rejected},
                           {"cancelled", cancelled}};
  return result;
}

json Shard::figures() {
  return {{"instances", capacity_.used()},
          {"connections", sessions_.size()},
          {"memory_held", warmth_.bytes_held()},
          {"memory_budget", warmth_.budget()}};
}

std::vector<Shard::VersionFigures> Shard::stats() const {
  std::vector<VersionFigures> result;
  for (const auto& [name, versions] : functions_)
    for (const auto& [number, entry] : versions) result.push_back({name, number, entry->stats});
  return result;
}

// --- Connections -------------------------------------------------------------------------------------

void Shard::adopt(gateway::MovedConnection connection) {
  auto session = std::make_unique<gateway::Session>(std::move(connection.socket), *this, reactor_, deadlines_,
                                                    options_.gateway);
  auto* raw = session.get();
  sessions_.emplace(raw, std::move(session));
  if (sessions_.size() > options_.gateway.max_connections) return raw->refuse();
  raw->start(std::move(connection.bytes));
  // A request that came along from another shard is still answered.
  if (draining_ && sessions_.contains(raw)) raw->drain();
}

void Shard::ended(gateway::Session& session) {
  const auto found = sessions_.find(&session);
  // Its own code is still running: destroyed when that has returned.
  asio::post(io_, [ended = std::move(found->second)] {});
  sessions_.erase(found);
}

std::vector<gateway::Session*> Shard::all_sessions() const {
  std::vector<gateway::Session*> all;
  all.reserve(sessions_.size());
  for (const auto& [session, held] : sessions_) all.push_back(session);
  return all;
}

void Shard::drain() {
  draining_ = true;
  for (auto* session : all_sessions()) session->drain();
}

void Shard::move(unsigned shard, gateway::MovedConnection connection) {
  mover_(shard, std::move(connection));
}

/// Time in front, so that ids sort as the invocations came; then chance.
void Shard::new_invocation_id(std::array<char, 32>& id) {
  const auto ms =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::span digits(id);
  put_hex(digits.first<16>(), (static_cast<std::uint64_t>(ms) << 16U) | (random_() & 0xffffU));
  put_hex(digits.last<16>(), random_());
}

std::optional<Result<gateway::Destination>> Shard::route_here(gateway::RequestHead& head) {
  if (options_.events == nullptr) return std::nullopt;
  gateway::Destination destination;
  destination.max_request_name = {};
  const intake::Place here{io_.get_executor(), deadlines_};
  if (head.target.starts_with(intake::kInvocationsPath)) {
    destination.own = std::make_shared<intake::StatusRequest>(here, *options_.events);
  } else if (auto topic = intake::topic_of(head.target)) {
    if (auto admitted = admit_publisher(*topic, head, destination); !admitted) return propagate(admitted);
    destination.own = std::make_shared<intake::PublishRequest>(here, *options_.events, std::move(*topic));
    destination.max_request = intake::PublishRequest::kMaxBody;
  } else if (auto path = intake::pipeline_path(head.target); path && options_.pipelines != nullptr) {
    if (auto admitted = admit_starter(*path, head, destination); !admitted) return propagate(admitted);
    destination.own = std::make_shared<intake::PipelineRequest>(here, *options_.pipelines, std::move(*path));
    destination.max_request = intake::PipelineRequest::kMaxBody;
  } else {
    return std::nullopt;
  }
  destination.service = destination.own.get();
  destination.timeout = kOwnTimeout;
  destination.target = head.target;
  return destination;
}

/// The client does not wait for the function.
void Shard::accept_later(gateway::Destination& destination, const router::Match& match) {
  destination.own = std::make_shared<intake::AsyncRequest>(
      intake::Place{io_.get_executor(), deadlines_}, destination.max_request, *options_.events,
      match.function->name, std::string(match.reference));
  destination.service = destination.own.get();
  destination.timeout = kOwnTimeout;
}

Result<gateway::Destination> Shard::route(gateway::RequestHead& head) {
  if (auto here = route_here(head)) return std::move(*here);
  auto match = table_->match(head.method, head.host, head.target);
  if (!match) return propagate(match);
  const auto& function = *match->function;
  gateway::Destination destination;
  // The connection belongs where the outermost decorator is, if there is one.
  destination.shard = home_shard(router::first_service(function), options_.count);
  if (destination.shard != options_.index) return destination;
  auto version =
      router::choose_version(function, match->reference, head.headers, static_cast<std::uint32_t>(random_()));
  if (!version) return propagate(version);
  auto chain = chain_of(*version, head.headers);
  if (!chain) return propagate(chain);
  const bool is_here = (*version)->runtime != registry::Runtime::upstream &&
                       (!chain->links || home_shard(function.name, options_.count) == options_.index);
  Served* entry = is_here ? &served(*version) : nullptr;
  const auto& rule = is_here ? entry->rule : rule_for(function, *version);
  destination.refusals = is_here ? entry->refusals : refusals_of(function.name);
  if (auto admitted = admit(rule, function.name, head, destination); !admitted) {
    destination.refusals->add(admitted.error().code);
    return propagate(admitted);
  }
  destination.service = chain->links ? service_of(chain->links->front()) : entry->scheduler.get();
  destination.timeout = (*version)->config.timeout;
  destination.max_request = (*version)->config.max_request;
  destination.target = match->target;
  destination.prefix = match->prefix;
  if (match->route != nullptr) router::append_route_fields(*match->route, match->target, head.headers);
  if (head.respond_async && options_.events != nullptr) {
    accept_later(destination, *match);
  } else if (chain->links) {
    destination.deadline_owner = {(*version)->address(), destination.timeout};
    destination.chain = std::move(*chain);
  }
  return destination;
}

}  // namespace mayfly::daemon
