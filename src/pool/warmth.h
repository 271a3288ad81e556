// What is warm on one shard, and how long it stays so: pools report to the policy of keep_alive.h, and what
// it decides is done to them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/deadline_wheel.h"
#include "pool/keep_alive.h"

namespace mayfly::pool {

class Account;

/// What can be done to a pool. None of these may report the change as the pool's own (see Account).
class WarmPool {
 public:
  virtual ~WarmPool() = default;
  /// End the idle instance that was used least recently. False: that is not possible now.
  [[nodiscard]] virtual bool evict_instance() = 0;
  /// End the template, and with it all instances, none of which is busy. False: not possible now.
  [[nodiscard]] virtual bool evict_template() = 0;
  /// Make one ahead of demand. False: not possible now. Ends in a report of its start, or of its failure.
  [[nodiscard]] virtual bool prewarm_instance() = 0;
  [[nodiscard]] virtual bool prewarm_template() = 0;
  /// The pid of an instance that represents the others, and of the template; 0: there is none.
  [[nodiscard]] virtual int sample_instance() const = 0;
  [[nodiscard]] virtual int sample_template() const = 0;
};

struct WarmthOptions {
  KeepAliveOptions policy{};
  /// Finds out, off this thread, what a process costs, and calls `then` on this thread (0: not known). Empty:
  /// estimates stay.
  std::function<void(int pid, bool is_template, std::function<void(std::uint64_t bytes)> then)> measure{};
};

/// One for each shard, on its thread. Decisions are taken from the wheel's on_deadline(), never from inside a
/// report, so a pool that reports is not changed meanwhile.
class Warmth final : private DeadlineEntry {
 public:
  /// Clock and wheel must outlive it.
  Warmth(const Clock& clock, DeadlineWheel& wheel, WarmthOptions options);
  ~Warmth() override;

  /// Ends the idle instance that is worth least, of any pool. False: no instance can be spared.
  bool make_room();

  [[nodiscard]] std::uint64_t bytes_held() const { return policy_.bytes_held(); }
  [[nodiscard]] std::uint64_t budget() const { return policy_.budget(); }

 private:
  friend class Account;

  void on_deadline() override;
  bool apply(const KeepAlive::Action& action, MonotonicTime now);
  void act_soon();
  void act_by(MonotonicTime when);
  void measure(Account& account);
  [[nodiscard]] Account* find(KeepAlive::Key key) const;

  const Clock& clock_;
  DeadlineWheel& wheel_;
  WarmthOptions options_;
  KeepAlive policy_;
  std::unordered_map<std::uint64_t, Account*> accounts_;  ///< by their number
  std::uint64_t last_number_ = 0;
  std::vector<std::uint64_t> to_measure_;
  std::size_t idle_instances_ = 0;
  MonotonicTime last_decision_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// One pool's page in the books: it reports every change of what it has. The template counts as busy while an
/// instance is, since that is when it is needed; so its idle times are those of the function.
class Account {
 public:
  Account(Warmth& warmth, WarmPool& pool);
  ~Account();
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  /// So many instances, and the template if it is not 0, are never evicted.
  void keep_at_least(std::uint32_t instances);

  void template_started(nanoseconds took);
  void template_gone();
  void template_failed();  ///< one that was to be made
  void instance_started(nanoseconds took);
  void instance_failed();  ///< one that was to be made
  /// An instance has its first invocation, or lost its last. Nanoseconds.
  void instance_taken(MonotonicTime now);
  void instance_returned(MonotonicTime now);
  void instance_gone(bool was_busy);

  /// For people. `ends` is nothing when it is busy, or kept on purpose, or only goes when memory is short.
  struct Outlook {
    std::uint64_t bytes = 0;  ///< of one
    std::optional<MonotonicTime> ends;
  };
  [[nodiscard]] Outlook instances() const;
  [[nodiscard]] Outlook template_() const;

 private:
  friend class Warmth;

  /// A mean of what was measured. The policy hears of it when it has moved: that makes its plans anew.
  struct Mean {
    double value = 0;
    double told = 0;
    /// True: tell.
    bool add(double sample);
  };
  struct Kind {
    KeepAlive::Key key = 0;
    Mean bytes;
    Mean start_ms;
  };
  [[nodiscard]] Outlook outlook(const Kind& kind) const;
  void start_took(Kind& kind, nanoseconds took);
  void measured(Kind& kind, std::uint64_t bytes);
  void measure_soon(MonotonicTime now);

  Warmth& warmth_;
  WarmPool& pool_;
  std::uint64_t number_;
  Kind instance_;
  Kind template_kind_;
  std::uint32_t busy_ = 0;
  bool has_template_ = false;
  bool has_forked_ = false;  ///< the template, an instance
  bool to_be_measured_ = false;
  MonotonicTime measure_after_{};
};

}  // namespace mayfly::pool
