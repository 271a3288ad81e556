// Budgets: how much functions may cost in a day or a month, and what happens when they have.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rate.h"
#include "meter/prices.h"
#include "meter/usage_tables.h"

namespace mayfly::meter {

/// What follows when the limit is reached, besides that it is told.
enum class AtLimit : std::uint8_t { warn, throttle, stop };
inline constexpr std::array<std::string_view, 3> kAtLimit{"warn", "throttle", "stop"};

/// Of one function, or of all of one tenant.
struct Budget {
  std::string function{};  ///< either this …
  std::string tenant{};    ///< … or this
  double limit = 0;        ///< > 0, in the currency of the price sheet
  bool monthly = true;     ///< a month of the calendar, or a day; of UTC
  double warn = 0.8;       ///< of the limit: when it is told first; 0 … 1
  AtLimit at_limit = AtLimit::warn;
  Rate rate{};  ///< with throttle: of each version's invocations

  [[nodiscard]] bool covers(std::string_view name, std::string_view its_tenant) const {
    return function.empty() ? tenant == its_tenant : function == name;
  }
  /// "function resize", "tenant acme"
  [[nodiscard]] std::string subject() const {
    return function.empty() ? "tenant " + tenant : "function " + function;
  }
};

enum class BudgetState : std::uint8_t { within, warned, spent };
inline constexpr std::array<std::string_view, 3> kBudgetStates{"within", "warned", "spent"};

/// What stands between a budget and the invocations that it covers. Written by the ledger's thread, read by
/// any.
struct BudgetGate {
  explicit BudgetGate(Budget its) : budget(std::move(its)) {}
  const Budget budget;
  std::atomic<BudgetState> state{BudgetState::within};
  std::atomic<std::int64_t> resets_ms{0};  ///< since 1970
  [[nodiscard]] bool limits() const {
    return budget.at_limit != AtLimit::warn && state.load(std::memory_order_relaxed) == BudgetState::spent;
  }
};
using BudgetGatePtr = std::shared_ptr<const BudgetGate>;

/// How one budget stands.
struct BudgetView {
  Budget budget;
  BudgetState state = BudgetState::within;
  double spent = 0;
  std::int64_t resets_ms = 0;  ///< when the next period begins
};

class BudgetBook {
 public:
  /// Hears when a budget's state gets worse; called on the thread of update().
  using OnState = std::function<void(const BudgetView&)>;
  BudgetBook(std::vector<Budget> budgets, Prices prices, OnState on_state);

  /// What was written just now, at a wall time; empty: only time has passed. At the first call, and when the
  /// period is another one than at the last (a new one, or the clock was put back), all is read from the
  /// tables. One thread.
  [[nodiscard]] Result<void> update(UsageTables& tables, std::int64_t now_ms,
                                    std::span<const UsageBatch> written);
  /// Any thread.
  [[nodiscard]] std::vector<BudgetView> views() const;
  /// Those that cover it. Any thread.
  [[nodiscard]] std::vector<BudgetGatePtr> gates_of(std::string_view function, std::string_view tenant) const;

 private:
  struct Entry {
    std::shared_ptr<BudgetGate> gate;
    std::optional<std::int64_t> begin_ms{};  ///< of the period that `spent` is of
    double spent = 0;
  };
  [[nodiscard]] Result<void> read(Entry& entry, UsageTables& tables, std::int64_t begin_ms,
                                  std::int64_t end_ms);
  void judge(Entry& entry);

  const Prices prices_;
  const OnState on_state_;
  mutable std::mutex mutex_;  // of what spent and begin are
  std::vector<Entry> entries_;
};

/// The period that a time is in: begin and end, milliseconds since 1970.
[[nodiscard]] std::pair<std::int64_t, std::int64_t> period_of(bool monthly, std::int64_t now_ms);

}  // namespace mayfly::meter
