// The pool of one version on one shard: its template and the instances forked from it.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/deadline_wheel.h"
#include "pool/belongings.h"
#include "pool/boxes.h"
#include "pool/instance.h"
#include "pool/limit_watch.h"
#include "pool/payload.h"
#include "pool/stats.h"
#include "pool/version_group.h"
#include "pool/warmth.h"
#include "registry/function.h"
#include "template/runtime_process.h"

namespace mayfly::pool {

/// Takes an instance's log socket when it is made, and keeps the end of what it wrote to descriptor 2 in
/// `last_words` (which the taker may write until the instance ends). Called on the shard's thread.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void take(Fd socket, const registry::Version& version, std::shared_ptr<LastWords> last_words) = 0;
  /// A failure for the function's history.
  virtual void failed(const registry::Version& version, std::string_view invocation, const Error& error) = 0;
};

/// What every pool of a shard shares. All of it outlives the pools.
struct PoolContext {
  boost::asio::any_io_executor executor;
  Reactor& reactor;
  DeadlineWheel& deadlines;
  tmpl::Forker& runtime;
  LogSink& logs;
  Warmth& warmth;
  Stores stores{};                     ///< of secrets and datasets; they outlive the pool
  Boxes* boxes = nullptr;              ///< null: nothing is confined (tests)
  LimitWatch* watch = nullptr;         ///< null: nothing is looked at
  sandbox::Cgroups* groups = nullptr;  ///< null: there are none
  CallHost* calls = nullptr;           ///< null: functions cannot call
  meter::Meter* meter = nullptr;       ///< null: nothing is metered
};

/// Hears of changes that let waiting invocations go on. Called on the shard's thread.
class PoolListener {
 public:
  virtual ~PoolListener() = default;
  virtual void on_capacity() = 0;  ///< a slot is free, or the template is ready
  virtual void on_taken_back(
      Invocation& invocation) = 0;  ///< see InstanceOwner; on_capacity or on_retired follows
  virtual void on_unavailable(const Error& why) = 0;  ///< no template or no instance can be made
  [[nodiscard]] virtual Error on_overdue(const Invocation& invocation) = 0;  ///< its error, for its caller
  /// The room of an instance is free, or the template is gone.
  virtual void on_retired(bool was_instance) = 0;
  /// An instance is wanted ahead of demand: start one, if there is room for it. False: there is none.
  [[nodiscard]] virtual bool on_prewarm() = 0;
};

/// Belongs to one shard's thread.
///
/// With `isolation = "request"` an instance takes one invocation and leaves; a few are kept ready, so that
/// the next invocations need not wait for a fork.
class Pool final : public InstanceOwner,
                   private WarmPool,
                   private LimitedPool,
                   private meter::MeteredLater,
                   private TurnEnd {
 public:
  /// Where neither the configuration nor the template says another.
  static constexpr int kDefaultConcurrency = 100;
  enum class Template { none, building, ready, direct, failed };

  Pool(PoolContext context, registry::VersionPtr version, PoolListener& listener,
       std::shared_ptr<VersionStats> stats);
  ~Pool() override;

  /// Build the template if there is none; `then` is told how that went, once: at once if it stands already,
  /// at the latest when the pool goes.
  void prepare(std::function<void(const Result<void>&)> then);
  /// Ask for one more instance. The template must be ready(). False: not possible now (the listener knows).
  [[nodiscard]] bool start_instance();
  /// A slot: of the instance used last that has fewer than `depth` invocations; without one, of the one
  /// that has the fewest, if `any`. Of serial instances the one that has the fewest, fewer than `depth`.
  [[nodiscard]] Lease lease(int depth, bool any);

  /// Requests fail because nothing can be made to serve them, this one first: for the function's history.
  /// Whose deploy it is that fails is told already.
  void note_unavailable(const Invocation& invocation, const Error& why) {
    context_.logs.failed(*version_, invocation.id_text(), why);
  }
  /// Books an invocation that never came to an instance.
  void book_unbegun(const Invocation& invocation, meter::Outcome outcome) {
    if (usage_) usage_->add(unbegun(invocation, outcome));
  }
  /// How much of the time since `accepted` was spent on making this instance, and the template before it.
  [[nodiscard]] nanoseconds start_share(const Instance& instance, MonotonicTime accepted) const;

  /// End the idle instance that was used least recently. False when none is idle.
  bool end_idle();
  /// End every idle instance, and the template if no instance is left. False: there is no template, or it is
  /// needed.
  bool end_template();
  void end_all(KillCause cause);
  /// The shard ends, and its schedulers one after another: no call may be open between them then.
  void end_calls();

  [[nodiscard]] bool ready() const { return template_ == Template::ready || template_ == Template::direct; }
  [[nodiscard]] Template template_state() const { return template_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] int instances() const { return static_cast<int>(instances_.size()); }
  /// So many processes that are told or forced to leave, and have not left, count for nothing: the next
  /// instance need not wait for the end of the last. More than these count as instances do.
  static constexpr int kLeavingFree = 4;
  /// What counts against max_instances and the machine's room.
  [[nodiscard]] int occupied() const { return instances() + leaving_counted(); }
  [[nodiscard]] int starting() const { return starting_; }
  [[nodiscard]] int idle() const;
  [[nodiscard]] int in_flight() const { return in_flight_; }
  [[nodiscard]] int concurrency() const { return concurrency_; }
  /// Its instances run one invocation after another; what else they are given waits in them.
  [[nodiscard]] bool serial() const { return serial_; }
  /// Invocations that wait in serial instances.
  [[nodiscard]] int queued() const {
    return serial_ ? std::max(0, in_flight_ - (instances() - starting_)) : 0;
  }
  /// What an invocation costs (CPU or blocked event loop), as an average; 0: nothing is known yet.
  [[nodiscard]] nanoseconds cost() const { return cost_; }
  /// What a new instance costs, from the request for it until it serves, as an average.
  [[nodiscard]] nanoseconds fork_price() const override { return fork_price_; }
  [[nodiscard]] const registry::Version& version() const { return *version_; }
  [[nodiscard]] std::vector<int> pids() const;
  /// 0: there is none, or none that is known yet.
  [[nodiscard]] int template_pid() const { return template_pid_; }
  [[nodiscard]] const VersionGroup& group() const { return group_; }
  /// What it has said of itself to keep-alive.
  [[nodiscard]] Account& account() { return account_; }
  [[nodiscard]] const Account& account() const { return account_; }

 private:
  using OpenList = boost::intrusive::list<Instance, boost::intrusive::constant_time_size<false>>;

  void on_started(Instance& instance) override;
  void on_slot_free(Instance& instance) override;
  void on_reacts(Instance& instance) override;
  void on_cost(nanoseconds per_invocation) override;
  void on_answered(nanoseconds ran) override;
  void on_taken_back(Invocation& invocation) override { listener_.on_taken_back(invocation); }
  Error on_overdue(const Invocation& invocation) override;
  void on_overdue_unheard(std::string_view invocation, bool answered) override;
  std::uint64_t max_response() const override { return version_->config.max_response; }
  std::uint64_t memory_limit() const override { return version_->config.memory; }
  bool take_memory_kill() override { return group_.take_memory_kill(); }
  meter::UsageAccount* usage() override { return usage_ ? &*usage_ : nullptr; }
  std::uint64_t inherited_memory() const override { return template_memory_; }
  bool single_use() const override { return version_->config.isolation == registry::Isolation::request; }
  CallHost* call_host() override { return context_.calls; }
  const registry::Version* version_of_calls() const override { return version_.get(); }
  void on_ended(Instance& instance, const Error& why) override;
  void on_failure(std::string_view invocation, const Error& error) override;

  // LimitedPool
  [[nodiscard]] bool sample(std::vector<LimitSample>& samples) override;
  [[nodiscard]] bool sample_idle(std::vector<LimitSample>& samples) override;

  // meter::MeteredLater
  [[nodiscard]] bool bring_up_to_date() override;
  void meter_template(std::uint64_t meter::Usage::* what);

  // WarmPool
  bool evict_instance() override { return end_oldest(); }
  bool evict_template() override;
  bool prewarm_instance() override;
  bool prewarm_template() override;
  [[nodiscard]] int sample_instance() const override;
  [[nodiscard]] int sample_template() const override;

  [[nodiscard]] Result<Belongings> take_belongings();
  void guard();
  [[nodiscard]] LimitSample sample_of(const std::shared_ptr<Limited>& limited, int pid) const;
  void ask_for_fork(const std::shared_ptr<Instance>& instance, Belongings& its);
  void fit_group();
  bool end_oldest();
  [[nodiscard]] int leaving_counted() const {
    return std::max(0, static_cast<int>(leaving_.size()) - kLeavingFree);
  }
  void forget(Instance& instance);
  void used_up(Instance& instance);
  void on_turn_end() override;
  bool close_template();
  [[nodiscard]] bool is_born_here(int pidfd) const;
  /// An instance that is asked for.
  struct Start {
    std::shared_ptr<Instance> instance;
    tmpl::Payload payload;
    Fd data;
    Fd log;
    unsigned attempts = 0;  ///< that found no room for a process
  };
  void fork_direct(Start& start);
  void fork_instance(std::shared_ptr<Start> start);
  /// False: not for this failure, or not any more.
  [[nodiscard]] bool fork_later(const std::shared_ptr<Start>& start, const Error& why);
  [[nodiscard]] Result<tmpl::Payload> boxed_payload(std::string_view role);
  void build_template();
  void fork_template();
  void on_template_forked(Result<Fd> pidfd);
  void on_template_ready(const std::string& json);
  void on_template_failed(const std::string& json);
  void on_template_closed();
  void on_template_exited(int status);
  void on_template_gone();
  void forget_template(Template now);
  void template_answer(const Result<void>& result);

  /// The template took too long to load.
  struct BuildDeadline final : DeadlineEntry {
    explicit BuildDeadline(Pool& p) : pool(p) {}
    void on_deadline() override;
    Pool& pool;
  };

  /// The template while it loads the code, which may be too large.
  struct Loading final : Limited {
    explicit Loading(Pool& p) : pool(p) {}
    void end_because(const Error& why) override;
    void note_excess(const Error& why) override;
    [[nodiscard]] Fd process() const override;
    Pool& pool;
    std::optional<Error> excess{};  ///< what it uses more of than it may
  };

  struct LateForks final : DeadlineEntry {
    explicit LateForks(Pool& p) : pool(p) {}
    void on_deadline() override;
    Pool& pool;
    std::vector<std::shared_ptr<Start>> waiting;
  };

  PoolContext context_;
  registry::VersionPtr version_;
  PoolListener& listener_;
  std::shared_ptr<VersionStats> stats_;
  std::optional<meter::UsageAccount> usage_;  // there is a meter
  Part instances_shown_;
  Part running_shown_;
  int concurrency_;
  bool serial_ = false;
  VersionGroup group_;
  Template template_ = Template::none;
  std::vector<std::string> warnings_;
  std::shared_ptr<tmpl::ForkClient> fork_client_;
  NetworkPtr network_;   // of the template and its instances
  unsigned builds_ = 0;  // begun
  Fd template_pidfd_;
  int template_pid_ = 0;
  nanoseconds template_cpu_{0};        // booked
  std::uint64_t template_memory_ = 0;  // bytes
  std::shared_ptr<Loading> loading_;
  std::optional<std::string> early_report_;  // of a template whose process is not known yet
  std::shared_ptr<LastWords> template_words_;
  std::vector<std::function<void(const Result<void>&)>> waiting_for_template_;
  BuildDeadline build_deadline_{*this};
  LateForks late_forks_{*this};
  std::unordered_set<std::shared_ptr<Instance>> instances_;
  std::unordered_set<std::shared_ptr<Instance>> leaving_;  // killed while idle or used up, not reaped yet
  std::optional<Belongings> ahead_;                        // of the next instance of this template
  OpenList open_;  // instances with a free slot, the one used last in front
  int starting_ = 0;
  int in_flight_ = 0;
  nanoseconds cost_{0};
  nanoseconds fork_price_{2'000'000};
  int failed_starts_ = 0;
  int build_deaths_ = 0;
  bool template_closed_ = false;        // while it loads code: its socket
  std::optional<int> template_status_;  // how it ended
  MonotonicTime build_began_{};
  MonotonicTime build_ended_{};
  Account account_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace mayfly::pool
