#include "meter/meter.h"

namespace mayfly::meter {

UsageAccount::UsageAccount(Meter& meter, std::string function, std::uint32_t version, std::string tenant,
                           InvocationClass own_class, MeteredLater& grows)
    : meter_(meter),
      function_(std::move(function)),
      version_(version),
      tenant_(std::move(tenant)),
      own_class_(own_class),
      grows_(grows) {
  meter_.keep(*this);
}

UsageAccount::~UsageAccount() { meter_.leave(*this); }

void UsageAccount::add(InvocationClass which, const UsageRecord& record) {
  of(which).add(record);
  meter_.wake();
  auto& batch = meter_.batch_;
  if (batch.singles.size() < Meter::kMostSingles)
    batch.singles.push_back({key(which), record});
  else
    ++batch.not_single;
}

Usage& UsageAccount::own() {
  meter_.wake();
  return of(own_class_);
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
  for (const auto which : {InvocationClass::interactive, InvocationClass::background}) {
    auto& sums = account.of(which);
    if (sums == Usage{}) continue;
    collected_[account.key(which)].add(sums);
    sums = {};
  }
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
