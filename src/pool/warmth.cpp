#include "pool/warmth.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace mayfly::pool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What is taken for granted until it is measured: a small function on Node 20.
constexpr EntryKind kTemplate{.bytes = 5U << 20U, .start_ms = 15};
constexpr EntryKind kInstance{.bytes = 3U << 19U, .start_ms = 1.5};

/// Between two decisions, so that many things due at almost the same time are one wake-up.
constexpr milliseconds kPause{100};
/// What could not be ended is tried again after so long.
constexpr seconds kRetry{1};
/// An instance's memory is looked at so often while it is used, and first when it has served a little.
constexpr seconds kMeasureEvery{60};
constexpr seconds kMeasureFirst{1};
/// A mean that moved by less than this share is not worth new plans.
constexpr double kWorthTelling = 0.2;

bool is_instance(KeepAlive::Key key) { return (key & 1U) != 0; }

}  // namespace

// --- Warmth ------------------------------------------------------------------------------------------

Warmth::Warmth(const Clock& clock, DeadlineWheel& wheel, WarmthOptions options)
    : clock_(clock), wheel_(wheel), options_(std::move(options)), policy_(options_.policy) {}

Warmth::~Warmth() { *alive_ = false; }

Account* Warmth::find(KeepAlive::Key key) const {
  const auto found = accounts_.find(key / 2);
  return found == accounts_.end() ? nullptr : found->second;
}

void Warmth::act_by(MonotonicTime when) {
  when = std::max(when, last_decision_ + kPause);
  if (!pending() || when < deadline()) wheel_.add(*this, when);
}

/// Something was reported: perhaps there is an earlier decision than the one awaited, or too much is held.
void Warmth::act_soon() {
  if (policy_.bytes_held() > policy_.budget()) return act_by(clock_.now());
  if (const auto next = policy_.next_decision()) act_by(*next);
}

void Warmth::on_deadline() {
  const auto now = clock_.now();
  last_decision_ = now;
  bool all_done = true;
  auto actions = policy_.decide(now);
  // A template takes its instances with it; those that the policy has written off must be gone before.
  std::ranges::stable_partition(actions, is_instance, &KeepAlive::Action::key);
  for (const auto& action : actions) all_done &= apply(action, now);
  for (const auto number : std::exchange(to_measure_, {})) {
    const auto found = accounts_.find(number);
    if (found != accounts_.end()) measure(*found->second);
  }
  if (const auto next = policy_.next_decision()) act_by(*next);
  if (!all_done) act_by(now + kRetry);
}

/// False: it was not possible, and the books say so again.
bool Warmth::apply(const KeepAlive::Action& action, MonotonicTime now) {
  Account* account = find(action.key);
  if (account == nullptr) return true;  // gone with an earlier action
  const bool instance = is_instance(action.key);
  if (action.kind == KeepAlive::Action::Kind::prewarm) {
    if (instance ? account->pool_.prewarm_instance() : account->pool_.prewarm_template()) return true;
    policy_.prewarm_failed(action.key);
    return true;  // it comes with demand
  }
  if (instance) --idle_instances_;
  if (!instance) account->has_template_ = false;
  if (instance ? account->pool_.evict_instance() : account->pool_.evict_template()) return true;
  if (instance) ++idle_instances_;
  if (!instance) account->has_template_ = true;
  policy_.started(action.key, now);
  return false;
}

bool Warmth::make_room() {
  if (idle_instances_ == 0) return false;
  const auto now = clock_.now();
  const auto key = policy_.evict_least(now, is_instance);
  return key && apply({KeepAlive::Action::Kind::evict, *key}, now);
}

void Warmth::measure(Account& account) {
  account.to_be_measured_ = false;
  account.measure_after_ = clock_.now() + kMeasureEvery;
  if (!options_.measure) return;
  const auto look = [&](int pid, Account::Kind Account::* kind) {
    if (pid == 0) return;
    const auto then = [this, alive = alive_, number = account.number_, kind](std::uint64_t bytes) {
      if (!*alive || bytes == 0) return;
      const auto found = accounts_.find(number);
      if (found != accounts_.end()) found->second->measured(found->second->*kind, bytes);
    };
    options_.measure(pid, kind == &Account::template_kind_, then);
  };
  look(account.pool_.sample_instance(), &Account::instance_);
  look(account.pool_.sample_template(), &Account::template_kind_);
}

// --- Account -----------------------------------------------------------------------------------------

Account::Account(Warmth& warmth, WarmPool& pool)
    : warmth_(warmth), pool_(pool), number_(++warmth.last_number_) {
  template_kind_.key = number_ * 2;
  instance_.key = number_ * 2 + 1;
  warmth_.accounts_.emplace(number_, this);
  warmth_.policy_.add(template_kind_.key, kTemplate);
  warmth_.policy_.add(instance_.key, kInstance);
}

Account::~Account() {
  warmth_.idle_instances_ -= warmth_.policy_.idle(instance_.key);
  warmth_.policy_.remove(instance_.key);
  warmth_.policy_.remove(template_kind_.key);
  warmth_.accounts_.erase(number_);
}

void Account::keep_at_least(std::uint32_t instances) {
  warmth_.policy_.keep_at_least(instance_.key, instances);
  warmth_.policy_.keep_at_least(template_kind_.key, instances > 0 ? 1 : 0);
}

bool Account::Mean::add(double sample) {
  value = value == 0 ? sample : value + (sample - value) / 8;
  if (std::abs(value - told) <= told * kWorthTelling) return false;
  told = value;
  return true;
}

void Account::start_took(Kind& kind, nanoseconds took) {
  const double ms = std::chrono::duration<double, std::milli>(took).count();
  if (kind.start_ms.add(std::max(ms, 0.01))) warmth_.policy_.start_took(kind.key, kind.start_ms.value);
}

void Account::measured(Kind& kind, std::uint64_t bytes) {
  if (!kind.bytes.add(static_cast<double>(bytes))) return;
  warmth_.policy_.measured(kind.key, static_cast<std::uint64_t>(kind.bytes.value));
  warmth_.act_soon();
}

void Account::template_started(nanoseconds took) {
  const auto now = warmth_.clock_.now();
  start_took(template_kind_, took);
  warmth_.policy_.started(template_kind_.key, now);
  has_template_ = true;
  has_forked_ = false;
  if (busy_ > 0) warmth_.policy_.taken(template_kind_.key, now);
  measure_soon(now);
  warmth_.act_soon();
}

void Account::template_gone() {
  if (!std::exchange(has_template_, false)) return;
  warmth_.policy_.lost(template_kind_.key, busy_ > 0, warmth_.clock_.now());
}

void Account::template_failed() { warmth_.policy_.prewarm_failed(template_kind_.key); }

void Account::instance_started(nanoseconds took) {
  // The first also waits until the template has come to rest: that says nothing of the next.
  if (std::exchange(has_forked_, true)) start_took(instance_, took);
  warmth_.policy_.started(instance_.key, warmth_.clock_.now());
  ++warmth_.idle_instances_;
  warmth_.act_soon();
}

void Account::instance_failed() { warmth_.policy_.prewarm_failed(instance_.key); }

void Account::instance_taken(MonotonicTime now) {
  --warmth_.idle_instances_;
  warmth_.policy_.taken(instance_.key, now);
  if (busy_++ == 0 && has_template_) warmth_.policy_.taken(template_kind_.key, now);
}

void Account::instance_returned(MonotonicTime now) {
  ++warmth_.idle_instances_;
  warmth_.policy_.returned(instance_.key, now);
  if (--busy_ == 0 && has_template_) warmth_.policy_.returned(template_kind_.key, now);
  if (now >= measure_after_) measure_soon(now);
  warmth_.act_soon();
}

void Account::instance_gone(bool was_busy) {
  const auto now = warmth_.clock_.now();
  if (was_busy && --busy_ == 0 && has_template_) warmth_.policy_.returned(template_kind_.key, now);
  if (!was_busy) --warmth_.idle_instances_;
  warmth_.policy_.lost(instance_.key, was_busy, now);
  warmth_.act_soon();
}

void Account::measure_soon(MonotonicTime now) {
  if (std::exchange(to_be_measured_, true)) return;
  warmth_.to_measure_.push_back(number_);
  warmth_.act_by(now + kMeasureFirst);
}

Account::Outlook Account::outlook(const Kind& kind) const {
  return {warmth_.policy_.bytes_each(kind.key), warmth_.policy_.ends(kind.key, warmth_.clock_.now())};
}

Account::Outlook Account::instances() const { return outlook(instance_); }
Account::Outlook Account::template_() const { return outlook(template_kind_); }

}  // namespace mayfly::pool
