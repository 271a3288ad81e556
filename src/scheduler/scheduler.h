// Decides, for one version on one shard, which invocation runs when, and when a new instance is worth it.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/deadline_wheel.h"
#include "base/rate.h"
#include "meter/budget.h"
#include "pool/pool.h"
#include "scheduler/capacity.h"

namespace mayfly::scheduler {

enum class SchedulerErrc {
  deadline_exceeded = 1,  ///< details: limit, waited, ran
  queue_full,             ///< details: limit
  unavailable,            ///< the version is being removed, or the daemon stops
  budget_spent,           ///< details: limit, budget
  budget_throttled,       ///< details: limit, budget, retry-after
};
[[nodiscard]] std::error_code make_error_code(SchedulerErrc code);

/// The error for a deadline that passed: "deadline 10 s: 9.2 s waiting, 0.8 s running".
[[nodiscard]] Error deadline_error(std::chrono::milliseconds limit, nanoseconds waited, nanoseconds ran);
/// The same where the limit is another function's: "deadline 10 s of front@2: …"; details: limit-of.
[[nodiscard]] Error deadline_error(const pool::DeadlineOwner& owner, nanoseconds waited, nanoseconds ran);

/// Belongs to one shard's thread.
///
/// The rule for scaling, applied at every invocation that finds no comfortable slot: an instance with k
/// invocations makes a newcomer wait about k times what one costs; a new instance makes it wait for a fork.
/// Both are measured. A fork is asked for only when it wins, when the machine has room for another
/// instance (Capacity), and when those that are being made already will not be enough. So a burst never
/// ends with more instances than it had invocations at once. Instances that run one after another are given
/// no more than that either, also when there can be no further instance: who waits here can go anywhere.
///
/// While a budget that covers it is spent, it takes nothing, or no more than the budget's rate.
class Scheduler final : public pool::Service, public pool::PoolListener, public CapacityClient {
 public:
  Scheduler(pool::PoolContext context, Capacity& capacity, registry::VersionPtr version,
            std::shared_ptr<pool::VersionStats> stats, const meter::BudgetBook* budgets = nullptr);
  ~Scheduler() override;

  void submit(pool::Invocation& invocation) override;
  void cancel(pool::Invocation& invocation) override;

  /// No further invocation will come. `on_drained` is called when the last one is done (perhaps at once).
  void drain(std::function<void()> on_drained);
  /// Keep at least so many instances alive, from now on.
  void keep_minimum(int instances);
  [[nodiscard]] int minimum() const { return minimum_; }

  [[nodiscard]] pool::Pool& pool() { return pool_; }
  [[nodiscard]] const pool::Pool& pool() const { return pool_; }
  /// Why no template or no instance could be made the last time; empty: it could.
  [[nodiscard]] const Error& template_error() const { return template_error_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_count_; }

 private:
  void on_capacity() override;
  void on_taken_back(pool::Invocation& invocation) override;
  void on_unavailable(const Error& why) override;
  Error on_overdue(const pool::Invocation& invocation) override;
  void on_retired(bool was_instance) override;
  bool on_prewarm() override;
  void on_room() override;
  int holds() const override { return pool_.occupied(); }

  /// An invocation's deadline while it waits.
  struct WaitDeadline final : DeadlineEntry {
    void on_deadline() override { scheduler->check_deadlines(); }
    Scheduler* scheduler = nullptr;
  };

  /// The same, where it may come before that of who arrived earlier: a call has the deadline of its caller.
  struct EarlyDeadline final : DeadlineEntry {
    EarlyDeadline(Scheduler& s, pool::Invocation& i) : scheduler(s), invocation(i) {}
    void on_deadline() override { scheduler.expire(invocation); }
    Scheduler& scheduler;
    pool::Invocation& invocation;
  };

  bool run_now(pool::Invocation& invocation, bool any);
  void reject(const pool::Invocation& invocation);
  [[nodiscard]] std::optional<Error> over_budget();
  void enqueue(pool::Invocation& invocation);
  void dequeue(pool::Invocation& invocation);
  void serve_waiting();
  void consider_scaling();
  bool start_one();
  void make_minimum();
  void check_deadlines();
  void watch_early(pool::Invocation& invocation);
  void expire(pool::Invocation& invocation);
  [[nodiscard]] Error overdue_error(const pool::Invocation& invocation, nanoseconds waited,
                                    nanoseconds ran) const;
  void arm_wait_deadline();
  void fail_waiting(const Error& why);
  [[nodiscard]] int comfortable_depth() const;
  [[nodiscard]] pool::Lease lease_for(const pool::Invocation& invocation, bool any);
  [[nodiscard]] bool at_limit() const;
  [[nodiscard]] std::size_t slots_to_come() const;
  void maybe_drained();

  DeadlineWheel& deadlines_;
  Capacity& capacity_;
  registry::VersionPtr version_;
  std::shared_ptr<pool::VersionStats> stats_;
  pool::Pool pool_;
  pool::Invocation* first_ = nullptr;  // those that wait, in order of arrival
  pool::Invocation* last_ = nullptr;
  std::size_t waiting_count_ = 0;
  pool::Part waiting_shown_{stats_->waiting};
  WaitDeadline wait_deadline_;
  std::unordered_map<pool::Invocation*, EarlyDeadline> early_;  // of those that wait
  MonotonicTime retry_template_after_{};
  Error template_error_;
  int minimum_ = 0;
  std::vector<meter::BudgetGatePtr> budgets_;  // that cover it
  RateBucket throttle_;                        // once one of them is spent
  bool draining_ = false;
  bool serving_ = false;  // serve_waiting is on the stack
  bool failing_ = false;  // fail_waiting is
  std::function<void()> on_drained_;
};

}  // namespace mayfly::scheduler

template <>
struct std::is_error_code_enum<mayfly::scheduler::SchedulerErrc> : std::true_type {};
