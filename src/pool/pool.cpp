#include "pool/pool.h"

#include <algorithm>

#include "base/cpu_clock.h"
#include "base/reap.h"
#include "base/text.h"

namespace mayfly::pool {
namespace {

/// So many starts in a row that came to nothing: stop making callers wait for the next.
constexpr int kMaxFailedStarts = 3;
/// Instances that are ready or about to be, where each serves one invocation: as the last one leaves, while
/// there is room.
constexpr int kStandby = 2;

nanoseconds smooth(nanoseconds average, nanoseconds sample) {
  return average.count() == 0 ? sample : (average * 7 + sample) / 8;
}

}  // namespace

Pool::Pool(PoolContext context, registry::VersionPtr version, PoolListener& listener,
           std::shared_ptr<VersionStats> stats)
    : context_(std::move(context)),
      version_(std::move(version)),
      listener_(listener),
      stats_(std::move(stats)),
      instances_shown_(stats_->instances),
      running_shown_(stats_->running),
      concurrency_(single_use() ? 1 : version_->config.concurrency.value_or(kDefaultConcurrency)),
      group_(context_.groups, context_.deadlines, *version_),
      account_(context_.warmth, *this) {
  if (context_.meter == nullptr) return;
  const auto& config = version_->config;
  usage_.emplace(
      *context_.meter,
      meter::UsageKey{version_->function, version_->number, config.tenant, config.invocation_class},
      static_cast<meter::MeteredLater&>(*this));
}

Pool::~Pool() {
  *alive_ = false;
  if (context_.watch != nullptr) context_.watch->forget(*this);
  open_.clear();
  for (const auto& instance : instances_) instance->disown();
  for (const auto& instance : leaving_) instance->disown();
  meter_template(&meter::Usage::idle_cpu_ns);
  if (fork_client_) fork_client_->close();
  if (template_pidfd_) kill_process(template_pidfd_.get());
  for (const auto& then : std::exchange(waiting_for_template_, {}))
    then(fail(PoolErrc::template_failed, "the version was taken away while its code was loading"));
}

// --- Instances -------------------------------------------------------------------------------------

/// Those that are in stock, or new ones.
Result<Belongings> Pool::take_belongings() {
  const bool direct = template_ == Template::direct;
  auto its = ahead_ ? Result<Belongings>(std::move(*ahead_))
                    : make_belongings(*version_, direct ? nullptr : context_.boxes, serial_);
  ahead_.reset();
  if (!its || !direct) return its;
  auto offers = std::move(its->payload.offers);
  auto payload = boxed_payload("direct");
  if (!payload) return propagate(payload);
  its->payload = std::move(*payload);
  its->payload.offers = std::move(offers);
  return its;
}

/// The fork is asked for first: all else is done while the template forks.
bool Pool::start_instance() {
  auto its = take_belongings();
  if (!its) {
    listener_.on_unavailable(its.error());
    return false;
  }
  auto instance = std::make_shared<Instance>(context_.reactor, context_.deadlines, *this,
                                             std::move(its->data.ours), concurrency_, std::move(its->offers));
  ask_for_fork(instance, *its);
  context_.logs.take(std::move(its->log.ours), *version_, instance->last_words);
  instances_.insert(instance);
  ++starting_;
  stats_->started.add();
  if (usage_) ++usage_->own().starts;
  instances_shown_.set(instances_.size());
  instance->start();
  fit_group();
  guard();
  if (template_ == Template::direct) return true;
  // What cannot be made now is made, or told, when it is needed.
  if (auto next = make_belongings(*version_, context_.boxes, serial_)) ahead_ = std::move(*next);
  return true;
}

Lease Pool::lease(int depth, bool any) {
  Instance* best = nullptr;
  int looked_at = 0;
  for (Instance& instance : open_) {
    const bool comfortable = instance.in_flight() < depth;
    if (instance.in_flight() == 0 || (comfortable && !serial_)) {
      best = &instance;
      break;
    }
    if ((serial_ ? comfortable : any) && (best == nullptr || instance.in_flight() < best->in_flight()))
      best = &instance;
    if (++looked_at >= 16) break;  // the list is ordered by use, so the answer is near its front
  }
  if (best == nullptr) return {};
  Lease lease(*best);
  if (!std::exchange(best->counted_busy, true)) account_.instance_taken(std::chrono::steady_clock::now());
  ++in_flight_;
  if (context_.watch != nullptr) context_.watch->busy(*this);
  running_shown_.set(static_cast<std::uint64_t>(in_flight_));
  if (usage_) usage_->note_running(static_cast<std::uint64_t>(in_flight_));
  if (!best->has_slot())
    best->unlink();
  else if (best->in_flight() >= depth)
    open_.splice(open_.end(), open_, open_.iterator_to(*best));
  return lease;
}

nanoseconds Pool::start_share(const Instance& instance, MonotonicTime accepted) const {
  if (instance.came_up_at() <= accepted) return nanoseconds(0);
  const auto fork = instance.came_up_at() - std::max(instance.created(), accepted);
  const auto build = build_ended_ - std::max(build_began_, accepted);
  return fork + std::max(build, MonotonicTime::duration(0));
}

void Pool::on_started(Instance& instance) {
  --starting_;
  failed_starts_ = 0;
  const auto took = std::chrono::steady_clock::now() - instance.created();
  fork_price_ = smooth(fork_price_, took);
  account_.instance_started(took);
  open_.push_front(instance);
  listener_.on_capacity();
}

void Pool::on_slot_free(Instance& instance) {
  --in_flight_;
  running_shown_.set(static_cast<std::uint64_t>(in_flight_));
  if (instance.in_flight() == 0) {
    instance.counted_busy = false;
    account_.instance_returned(instance.idle_since());
  }
  if (single_use()) return used_up(instance);
  if (instance.is_linked()) open_.erase(open_.iterator_to(instance));
  if (instance.has_slot()) open_.push_front(instance);
  listener_.on_capacity();
}

void Pool::on_reacts(Instance& instance) {
  if (instance.is_linked() || !instance.has_slot()) return;
  open_.push_back(instance);
  listener_.on_capacity();
}

void Pool::on_cost(nanoseconds per_invocation) { cost_ = smooth(cost_, per_invocation); }

void Pool::on_answered(nanoseconds ran) {
  stats_->answered.add();
  stats_->run_ns.add(static_cast<std::uint64_t>(ran.count()));
}

void Pool::on_ended(Instance& instance, const Error& why) {
  const auto held = instance.shared_from_this();
  const bool was_starting = !instance.came_up();
  group_.note_end(why);
  if (was_starting) --starting_;
  const int counted = leaving_counted();
  if (leaving_.erase(held) > 0) {
    fit_group();
    if (leaving_counted() < counted) listener_.on_retired(true);
    return;
  }
  if (was_starting)
    account_.instance_failed();
  else
    account_.instance_gone(instance.counted_busy);
  instances_.erase(held);
  instances_shown_.set(instances_.size());
  // Leases that ended with it were not counted by on_slot_free.
  in_flight_ = 0;
  for (const auto& other : instances_) in_flight_ += other->in_flight();
  running_shown_.set(static_cast<std::uint64_t>(in_flight_));
  if (was_starting && ready() && ++failed_starts_ >= kMaxFailedStarts) {
    failed_starts_ = 0;
    listener_.on_unavailable(why);
  }
  fit_group();
  listener_.on_retired(true);
}

/// Those that leave still have their memory.
void Pool::fit_group() { group_.fit(instances_.size() + leaving_.size()); }

/// Where no control group limits memory, an instance may take it when nobody looks.
void Pool::guard() {
  if (context_.watch != nullptr && !group_.limits_memory()) context_.watch->guard(*this);
}

LimitSample Pool::sample_of(const std::shared_ptr<Limited>& limited, int pid) const {
  return {limited, pid, version_->config.memory, static_cast<std::uint64_t>(version_->config.processes)};
}

bool Pool::sample(std::vector<LimitSample>& samples) {
  const auto before = samples.size();
  for (const auto& instance : instances_)
    if (instance->has_worked()) samples.push_back(sample_of(instance, instance->pid()));
  return samples.size() > before;
}

bool Pool::sample_idle(std::vector<LimitSample>& samples) {
  for (const auto& instance : instances_)
    if (instance->in_flight() == 0 && instance->pid() > 0)
      samples.push_back(sample_of(instance, instance->pid()));
  if (loading_ && template_pid_ > 0) samples.push_back(sample_of(loading_, template_pid_));
  return loading_ || !instances_.empty();
}

Error Pool::on_overdue(const Invocation& invocation) {
  Error error = listener_.on_overdue(invocation);
  context_.logs.failed(*version_, invocation.id_text(), error);
  return error;
}

void Pool::on_overdue_unheard(std::string_view invocation, bool answered) {
  const auto limit = format_duration(version_->config.timeout);
  const std::string what = answered ? "work after the answer" : "work for a client that has left";
  Error error{PoolErrc::overdue_unheard, what + " went on past the deadline of " + limit, {}};
  on_failure(invocation, error.with("limit", limit));
}

void Pool::on_failure(std::string_view invocation, const Error& error) {
  stats_->failed.add();
  context_.logs.failed(*version_, invocation, error);
}

int Pool::idle() const {
  return static_cast<int>(std::ranges::count_if(instances_, [](const auto& i) {
    return i->state() == Instance::State::serving && i->in_flight() == 0;
  }));
}

bool Pool::end_idle() {
  if (!end_oldest()) return false;
  account_.instance_gone(false);
  return true;
}

bool Pool::end_oldest() {
  Instance* oldest = nullptr;
  for (Instance& instance : open_)
    if (instance.in_flight() == 0 && (oldest == nullptr || instance.idle_since() < oldest->idle_since()))
      oldest = &instance;
  if (oldest == nullptr) return false;
  oldest->end(KillCause::idle);
  forget(*oldest);
  return true;
}

/// Its process ends soon; the pool forgets it now, so that nobody counts on it. Its room is free at once,
/// unless many are leaving: then when it, or another of them, has left.
void Pool::forget(Instance& instance) {
  const auto held = instance.shared_from_this();
  const int occupied_before = occupied();
  instances_.erase(held);
  leaving_.insert(held);
  instances_shown_.set(instances_.size());
  if (occupied() < occupied_before) listener_.on_retired(true);
}

/// It has served the one invocation that it was for.
void Pool::used_up(Instance& instance) {
  instance.let_go();
  account_.instance_gone(false);
  forget(instance);
  context_.reactor.at_turn_end(*this);  // its caller gets the answer first
}

void Pool::on_turn_end() {
  while (instances() - in_flight_ < kStandby && listener_.on_prewarm()) {
  }
}

void Pool::end_all(KillCause cause) {
  const auto instances = instances_;
  for (const auto& instance : instances) instance->end(cause);
}

void Pool::end_calls() {
  const auto instances = instances_;
  for (const auto& instance : instances) instance->end_calls();
}

// --- Metering ----------------------------------------------------------------------------------------

bool Pool::bring_up_to_date() {
  for (const auto& instance : instances_) instance->bring_up_to_date();
  for (const auto& instance : leaving_) instance->bring_up_to_date();
  meter_template(template_ == Template::building ? &meter::Usage::init_cpu_ns : &meter::Usage::idle_cpu_ns);
  return !instances_.empty() || template_pid_ > 0;
}

/// Books what the template's process used since this was called last: while it lives.
void Pool::meter_template(std::uint64_t meter::Usage::* what) {
  if (!usage_ || template_pid_ <= 0) return;
  const auto cpu = cpu_time_of(template_pid_).value_or(nanoseconds(0));
  if (cpu > template_cpu_)
    usage_->own().*what += static_cast<std::uint64_t>((cpu - std::exchange(template_cpu_, cpu)).count());
}

// --- Keep-alive --------------------------------------------------------------------------------------

bool Pool::evict_template() {
  // All or nothing: what is starting or works would keep it.
  if (starting_ > 0 || in_flight_ > 0 || template_ != Template::ready) return false;
  while (end_idle()) {
  }
  return close_template();
}

bool Pool::prewarm_instance() {
  if (ready()) return listener_.on_prewarm();
  prepare([this](const Result<void>& made) {
    if (!made || !listener_.on_prewarm()) account_.instance_failed();
  });
  return true;
}

bool Pool::prewarm_template() {
  prepare([](const Result<void>&) {});
  return true;
}

int Pool::sample_instance() const {
  for (const Instance& instance : open_)
    if (instance.served() > 0 || single_use()) return instance.pid();
  return 0;
}

int Pool::sample_template() const { return template_ == Template::ready ? template_pid() : 0; }

std::vector<int> Pool::pids() const {
  std::vector<int> pids;
  for (const auto& instance : instances_)
    if (const int pid = instance->pid(); pid > 0) pids.push_back(pid);
  return pids;
}

}  // namespace mayfly::pool
