#include "scheduler/scheduler.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mayfly::scheduler {
namespace {

using pool::Invocation;

/// The fork server makes one child after another: more requests under way than this win nothing, and what
/// the first instances teach would come too late.
constexpr int kMaxStarting = 4;
/// A template that could not be built is not tried again for so long; callers get its error at once.
constexpr milliseconds kTemplateRetry{1'000};

const SlugCategory<SchedulerErrc, 5> kCategory("scheduler",
                                               std::array{"deadline-exceeded", "queue-full", "unavailable",
                                                          "budget-spent", "budget-throttled"});

std::string seconds_text(nanoseconds time) {
  std::array<char, 32> text{};
  const double seconds = std::chrono::duration<double>(time).count();
  if (seconds < 1) {
    std::snprintf(text.data(), text.size(), "%.0f ms", std::max(seconds, 0.0) * 1000);
    return text.data();
  }
  std::snprintf(text.data(), text.size(), "%.4g s", seconds);
  return text.data();
}

std::string number_text(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", number);
  return text.data();
}

}  // namespace

std::error_code make_error_code(SchedulerErrc code) { return {static_cast<int>(code), kCategory}; }

Error deadline_error(std::chrono::milliseconds limit, nanoseconds waited, nanoseconds ran) {
  const auto limit_text = seconds_text(limit);
  const auto waited_text = seconds_text(waited);
  const auto ran_text = seconds_text(ran);
  return Error{SchedulerErrc::deadline_exceeded,
               "deadline " + limit_text + ": " + waited_text + " waiting, " + ran_text + " running",
               {{"limit", limit_text}, {"waited", waited_text}, {"ran", ran_text}}};
}

Error deadline_error(const pool::DeadlineOwner& owner, nanoseconds waited, nanoseconds ran) {
  auto error = deadline_error(owner.limit, waited, ran);
  error.message.insert(error.message.find(':'), " of " + owner.function);
  return std::move(error).with("limit-of", owner.function);
}

Scheduler::Scheduler(pool::PoolContext context, Capacity& capacity, registry::VersionPtr version,
                     std::shared_ptr<pool::VersionStats> stats, const meter::BudgetBook* budgets)
    : deadlines_(context.deadlines),
      capacity_(capacity),
      version_(std::move(version)),
      stats_(std::move(stats)),
      pool_(std::move(context), version_, *this, stats_) {
  wait_deadline_.scheduler = this;
  if (budgets != nullptr) budgets_ = budgets->gates_of(version_->function, version_->config.tenant);
}

Scheduler::~Scheduler() {
  capacity_.forget(*this);
  for (int i = pool_.occupied(); i > 0; --i) capacity_.give_back();
}

// --- Invocations in ----------------------------------------------------------------------------------

void Scheduler::submit(Invocation& invocation) {
  if (draining_) {
    reject(invocation);
    invocation.listener->on_failure(invocation,
                                    Error{SchedulerErrc::unavailable, "this version is being removed", {}});
    return;
  }
  if (!budgets_.empty())
    if (auto refused = over_budget()) {
      reject(invocation);
      return invocation.listener->on_failure(invocation, std::move(*refused));
    }
  invocation.start_cost = nanoseconds(0);
  invocation.lost = 0;
  if (first_ == nullptr && run_now(invocation, at_limit())) return;
  if (waiting_count_ + static_cast<std::size_t>(pool_.queued()) >=
      static_cast<std::size_t>(version_->config.queue) + slots_to_come()) {
    reject(invocation);
    const auto limit = std::to_string(version_->config.queue);
    invocation.listener->on_failure(
        invocation,
        Error{SchedulerErrc::queue_full, "the queue holds " + limit + " invocations already", {}}.with(
            "limit", limit));
    return;
  }
  stats_->admitted.add();
  stats_->waited.add();
  enqueue(invocation);
  consider_scaling();
}

/// Nothing: no budget keeps an invocation away now. One that stops goes before those that throttle, and of
/// these the slowest holds.
std::optional<Error> Scheduler::over_budget() {
  const meter::BudgetGate* spent = nullptr;
  for (const auto& gate : budgets_) {
    if (!gate->limits()) continue;
    if (gate->budget.at_limit == meter::AtLimit::stop) {
      spent = gate.get();
      break;
    }
    if (spent == nullptr || is_slower(gate->budget.rate, spent->budget.rate)) spent = gate.get();
  }
  if (spent == nullptr) return std::nullopt;
  const auto& budget = spent->budget;
  const auto what =
      "the budget of " + budget.subject() + " is spent until the next " + (budget.monthly ? "month" : "day");
  if (budget.at_limit == meter::AtLimit::stop)
    return Error{SchedulerErrc::budget_spent, what, {}}
        .with("limit", number_text(budget.limit))
        .with("budget", budget.subject());
  const auto verdict = throttle_.take(budget.rate, std::chrono::steady_clock::now());
  if (verdict.allowed) return std::nullopt;
  const auto wait = std::chrono::ceil<std::chrono::seconds>(verdict.wait).count();
  return Error{SchedulerErrc::budget_throttled, what + ": it runs " + format_rate(budget.rate), {}}
      .with("limit", number_text(budget.limit))
      .with("budget", budget.subject())
      .with("retry-after", std::to_string(std::max<std::int64_t>(1, wait)));
}

void Scheduler::reject(const Invocation& invocation) {
  stats_->rejected.add();
  pool_.book_unbegun(invocation, meter::Outcome::rejected);
}

/// Gives the invocation to an instance that has a slot for it. `any`: also to one that is busier than
/// comfortable, since there will be no further instance.
bool Scheduler::run_now(Invocation& invocation, bool any) {
  pool::Lease lease = lease_for(invocation, any);
  if (!lease) return false;
  if (invocation.state != Invocation::State::waiting) stats_->admitted.add();
  lease.instance()->run(invocation, std::move(lease));
  return true;
}

/// How many invocations an instance may have so that one more would rather wait for them than for a fork.
int Scheduler::comfortable_depth() const {
  const int most = pool_.concurrency();
  // Who waits in an instance counts as waiting.
  if (pool_.serial() && static_cast<int>(waiting_count_) + pool_.queued() >= version_->config.queue) return 1;
  const auto cost = pool_.cost();
  if (cost.count() <= 0) return 1;  // nothing is known yet
  const auto depth = pool_.fork_price() / cost + 1;
  return static_cast<int>(std::clamp<std::int64_t>(depth, 1, most));
}

/// A request whose body is still coming cannot be sent twice, so it never waits in an instance that runs one
/// after another.
pool::Lease Scheduler::lease_for(const Invocation& invocation, bool any) {
  const bool alone = pool_.serial() && !invocation.body_complete;
  return pool_.lease(alone ? 1 : comfortable_depth(), any);
}

bool Scheduler::at_limit() const {
  return pool_.occupied() >= version_->config.max_instances || (capacity_.wanted() && pool_.instances() > 0);
}

/// Slots of instances that may still be made: who waits for one of these is not in the queue's way.
std::size_t Scheduler::slots_to_come() const {
  const int to_come = version_->config.max_instances - pool_.occupied() + pool_.starting();
  const int each = pool_.serial() ? 1 : pool_.concurrency();
  return static_cast<std::size_t>(std::max(to_come, 0)) * static_cast<std::size_t>(each);
}

void Scheduler::cancel(Invocation& invocation) {
  if (invocation.state == Invocation::State::idle) return;
  stats_->cancelled.add();
  if (invocation.state == Invocation::State::waiting) {
    dequeue(invocation);
    pool_.book_unbegun(invocation, meter::Outcome::cancelled);
    maybe_drained();
  } else {
    invocation.runner->abandon(invocation, wire::AbortReason::client);
  }
}

// --- The queue ---------------------------------------------------------------------------------------

void Scheduler::enqueue(Invocation& invocation) {
  invocation.state = Invocation::State::waiting;
  invocation.next = nullptr;
  invocation.previous = last_;
  (last_ != nullptr ? last_->next : first_) = &invocation;
  last_ = &invocation;
  waiting_shown_.set(++waiting_count_);
  if (first_ == &invocation) arm_wait_deadline();
  watch_early(invocation);
}

/// It takes its place in the order of arrival again: before nearly all that wait.
void Scheduler::on_taken_back(Invocation& invocation) {
  Invocation* next = first_;
  while (next != nullptr && next->accepted <= invocation.accepted) next = next->next;
  Invocation* previous = next != nullptr ? next->previous : last_;
  invocation.state = Invocation::State::waiting;
  invocation.next = next;
  invocation.previous = previous;
  (previous != nullptr ? previous->next : first_) = &invocation;
  (next != nullptr ? next->previous : last_) = &invocation;
  waiting_shown_.set(++waiting_count_);
  stats_->waited.add();
  if (first_ == &invocation) deadlines_.add(wait_deadline_, invocation.deadline);
  watch_early(invocation);
}

void Scheduler::dequeue(Invocation& invocation) {
  (invocation.previous != nullptr ? invocation.previous->next : first_) = invocation.next;
  (invocation.next != nullptr ? invocation.next->previous : last_) = invocation.previous;
  invocation.previous = invocation.next = nullptr;
  invocation.state = Invocation::State::idle;
  if (!early_.empty()) early_.erase(&invocation);
  waiting_shown_.set(--waiting_count_);
}

void Scheduler::serve_waiting() {
  if (serving_) return;
  serving_ = true;
  while (first_ != nullptr) {
    Invocation& invocation = *first_;
    pool::Lease lease = lease_for(invocation, at_limit());
    if (!lease) break;
    dequeue(invocation);
    const auto waited = std::chrono::steady_clock::now() - invocation.accepted;
    stats_->wait_ns.add(static_cast<std::uint64_t>(waited.count()));
    invocation.start_cost = pool_.start_share(*lease.instance(), invocation.accepted);
    lease.instance()->run(invocation, std::move(lease));
  }
  serving_ = false;
}

void Scheduler::arm_wait_deadline() {
  // All invocations of a version have the same timeout, so the first to come is the first to expire.
  if (first_ != nullptr && !wait_deadline_.pending()) deadlines_.add(wait_deadline_, first_->deadline);
}

void Scheduler::check_deadlines() {
  const auto now = std::chrono::steady_clock::now();
  while (first_ != nullptr && first_->deadline <= now) expire(*first_);
  arm_wait_deadline();
  maybe_drained();
}

void Scheduler::watch_early(Invocation& invocation) {
  if (invocation.deadline_owner.function.empty()) return;
  const auto [entry, added] = early_.try_emplace(&invocation, *this, invocation);
  deadlines_.add(entry->second, invocation.deadline);
}

/// Its deadline came while it waited.
void Scheduler::expire(Invocation& invocation) {
  dequeue(invocation);
  stats_->timed_out.add();
  pool_.book_unbegun(invocation, meter::Outcome::timed_out);
  const auto waited = std::chrono::steady_clock::now() - invocation.accepted;
  Error error = overdue_error(invocation, waited, nanoseconds(0));
  if (invocation.depth > 0 && at_limit()) error.message += "; every instance was busy";
  invocation.listener->on_failure(invocation, std::move(error));
  arm_wait_deadline();
  maybe_drained();
}

Error Scheduler::overdue_error(const Invocation& invocation, nanoseconds waited, nanoseconds ran) const {
  if (invocation.deadline_owner.function.empty())
    return deadline_error(version_->config.timeout, waited, ran);
  return deadline_error(invocation.deadline_owner, waited, ran);
}

void Scheduler::fail_waiting(const Error& why) {
  // Whose next invocation comes from inside its failure waits for the loop below: the stack must not grow
  // with every connection.
  if (std::exchange(failing_, true)) return;
  while (first_ != nullptr) {
    Invocation& invocation = *first_;
    dequeue(invocation);
    reject(invocation);
    invocation.listener->on_failure(invocation, why);
  }
  failing_ = false;
  maybe_drained();
}

// --- Scaling -----------------------------------------------------------------------------------------

void Scheduler::consider_scaling() {
  if (waiting_count_ == 0) return;
  if (!pool_.ready()) {
    if (pool_.template_state() == pool::Pool::Template::failed &&
        std::chrono::steady_clock::now() < retry_template_after_)
      return fail_waiting(template_error_);
    if (pool_.template_state() != pool::Pool::Template::building) pool_.prepare([](const Result<void>&) {});
    return;
  }
  const auto depth = static_cast<std::size_t>(comfortable_depth());
  while (pool_.starting() < kMaxStarting &&
         static_cast<std::size_t>(pool_.starting()) * depth < waiting_count_ &&
         pool_.occupied() < version_->config.max_instances) {
    if (!start_one()) break;
  }
  if (at_limit()) serve_waiting();
}

bool Scheduler::start_one() {
  if (!capacity_.take(*this)) return false;
  if (pool_.start_instance()) return true;
  capacity_.give_back();
  return false;
}

void Scheduler::keep_minimum(int instances) {
  minimum_ = instances;
  pool_.account().keep_at_least(static_cast<std::uint32_t>(instances));
  make_minimum();
}

void Scheduler::make_minimum() {
  if (minimum_ <= 0 || draining_) return;
  if (!pool_.ready()) {
    if (pool_.template_state() == pool::Pool::Template::none)
      pool_.prepare([](const Result<void>&) {});  // on_capacity() goes on
    return;
  }
  while (pool_.instances() < minimum_ && pool_.occupied() < version_->config.max_instances && start_one()) {
  }
}

bool Scheduler::on_prewarm() {
  if (draining_ || pool_.occupied() >= version_->config.max_instances) return false;
  if (capacity_.wanted() || capacity_.used() >= capacity_.limit()) return false;  // nobody goes for it
  return start_one();
}

void Scheduler::on_capacity() {
  if (pool_.instances() > minimum_ && capacity_.owes(*this)) (void)pool_.end_idle();
  serve_waiting();
  consider_scaling();
  make_minimum();
  maybe_drained();
}

void Scheduler::on_room() {
  if (waiting_count_ > 0) consider_scaling();
  make_minimum();
}

void Scheduler::on_unavailable(const Error& why) {
  template_error_ = why;
  retry_template_after_ = std::chrono::steady_clock::now() + kTemplateRetry;
  if (first_ != nullptr) pool_.note_unavailable(*first_, why);
  fail_waiting(why);
}

Error Scheduler::on_overdue(const Invocation& invocation) {
  stats_->timed_out.add();
  return overdue_error(invocation, invocation.started - invocation.accepted,
                       std::chrono::steady_clock::now() - invocation.started);
}

void Scheduler::on_retired(bool was_instance) {
  if (was_instance) capacity_.give_back();
  serve_waiting();  // who waited in it can go to another
  consider_scaling();
  make_minimum();
  maybe_drained();
}

void Scheduler::drain(std::function<void()> on_drained) {
  draining_ = true;
  on_drained_ = std::move(on_drained);
  maybe_drained();
}

void Scheduler::maybe_drained() {
  if (!draining_ || !on_drained_ || waiting_count_ > 0 || pool_.in_flight() > 0) return;
  const auto drained = std::exchange(on_drained_, {});
  drained();
}

}  // namespace mayfly::scheduler
