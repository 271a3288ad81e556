#include "meter/budget.h"

#include <algorithm>
#include <chrono>

namespace mayfly::meter {

std::pair<std::int64_t, std::int64_t> period_of(bool monthly, std::int64_t now_ms) {
  using namespace std::chrono;
  const auto today = floor<days>(sys_time<milliseconds>(milliseconds(std::max<std::int64_t>(now_ms, 0))));
  auto begin = today;
  auto end = today + days(1);
  if (monthly) {
    const year_month_day date(today);
    begin = sys_days(date.year() / date.month() / 1);
    end = sys_days((date.year() / date.month() + months(1)) / 1);
  }
  const auto in_ms = [](sys_days day) { return duration_cast<milliseconds>(day.time_since_epoch()).count(); };
  return {in_ms(begin), in_ms(end)};
}

BudgetBook::BudgetBook(std::vector<Budget> budgets, Prices prices, OnState on_state)
    : prices_(std::move(prices)), on_state_(std::move(on_state)) {
  for (auto& budget : budgets) entries_.push_back({std::make_shared<BudgetGate>(std::move(budget))});
}

Result<void> BudgetBook::read(Entry& entry, UsageTables& tables, std::int64_t begin_ms, std::int64_t end_ms) {
  const auto& budget = entry.gate->budget;
  UsageQuery query{.resolution = Resolution::day, .from_ms = begin_ms, .to_ms = end_ms, .by_class = true};
  query.function = budget.function;
  if (budget.function.empty()) query.tenant = budget.tenant;
  auto rows = tables.sums(query);
  if (!rows) return propagate(rows);
  const std::lock_guard lock(mutex_);
  entry.spent = 0;
  for (const auto& row : *rows) entry.spent += cost_of(row.usage, row.key.invocation_class, prices_).total();
  entry.begin_ms = begin_ms;
  entry.gate->resets_ms = end_ms;
  entry.gate->state = BudgetState::within;  // judged anew
  return {};
}

Result<void> BudgetBook::update(UsageTables& tables, std::int64_t now_ms,
                                std::span<const UsageBatch> written) {
  Result<void> all;
  for (auto& entry : entries_) {
    const auto [begin, end] = period_of(entry.gate->budget.monthly, now_ms);
    if (entry.begin_ms != begin) {  // what was written is in the tables already
      if (auto done = read(entry, tables, begin, end); !done) {
        all = std::move(done);  // it is read again the next time; the others must not miss what was written
        continue;
      }
    } else {
      const std::lock_guard lock(mutex_);
      for (const auto& batch : written)
        for (const auto& [key, usage] : batch.sums)
          if (entry.gate->budget.covers(key.function, key.tenant))
            entry.spent += cost_of(usage, key.invocation_class, prices_).total();
    }
    judge(entry);
  }
  return all;
}

void BudgetBook::judge(Entry& entry) {
  const auto& budget = entry.gate->budget;
  auto state = BudgetState::within;
  if (entry.spent >= budget.warn * budget.limit) state = BudgetState::warned;
  if (entry.spent >= budget.limit) state = BudgetState::spent;
  if (entry.gate->state.exchange(state) < state && on_state_)
    on_state_({budget, state, entry.spent, entry.gate->resets_ms});
}

std::vector<BudgetView> BudgetBook::views() const {
  const std::lock_guard lock(mutex_);
  std::vector<BudgetView> views;
  for (const auto& entry : entries_)
    views.push_back({entry.gate->budget, entry.gate->state, entry.spent, entry.gate->resets_ms});
  return views;
}

std::vector<BudgetGatePtr> BudgetBook::gates_of(std::string_view function, std::string_view tenant) const {
  std::vector<BudgetGatePtr> gates;
  for (const auto& entry : entries_)
    if (entry.gate->budget.covers(function, tenant)) gates.push_back(entry.gate);
  return gates;
}

}  // namespace mayfly::meter
