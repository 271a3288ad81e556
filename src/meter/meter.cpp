#include "meter/meter.h"

namespace mayfly::meter {

UsageAccount::UsageAccount(Meter& meter, UsageKey key, MeteredLater& grows)
    : meter_(meter), key_(std::move(key)), grows_(grows) {
  meter_.keep(*this);
}

UsageAccount::~UsageAccount() { meter_.leave(*this); }

void UsageAccount::add(const UsageRecord& record) {
  sums_.add(record);
  meter_.wake();
  auto& batch = meter_.batch_;
  if (batch.singles.size() < Meter::kMostSingles)
    batch.singles.push_back({key_, record});
  else
    ++batch.not_single;
}

Usage& UsageAccount::own() {
  meter_.wake();
  return sums_;
}

void Meter::wake_soon() {
  soon_ = true;
  batch_.began_ms = to_millis(clock_.wall());
  wheel_.add(*this, clock_.now() + kInterval);
}

void Meter::keep(UsageAccount& account) { accounts_.insert(&account); }

void Meter::leave(UsageAccount& account) {
  collect(account);
  accounts_.erase(&account);
}

void Meter::collect(UsageAccount& account) {
  if (account.sums_ == Usage{}) return;
  collected_[account.key_].add(account.sums_);
  account.sums_ = {};
}

void Meter::flush() {
  bool grows = false;
  for (UsageAccount* account : accounts_) {
    grows = account->grows_.bring_up_to_date() || grows;
    collect(*account);
  }
  cancel();
  soon_ = false;
  if (!collected_.empty() || !batch_.singles.empty()) {
    batch_.sums.clear();
    for (const auto& [key, usage] : collected_) batch_.sums.push_back({key, usage});
    if (!sink_(batch_)) {  // all is kept; the records are as many as may be kept
      batch_.sums.clear();
      soon_ = true;
      return wheel_.add(*this, clock_.now() + kInterval);
    }
    collected_.clear();
    batch_ = {};
  }
  if (grows) wheel_.add(*this, clock_.now() + kIdleInterval);
}

}  // namespace mayfly::meter
