// Brings callbacks to their URLs.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "callbacks/secret.h"
#include "events/deliverer.h"
#include "outbound/client.h"

namespace mayfly::callbacks {

/// A POST, signed, is a success if its answer has a status of 2xx; what else the answer holds does not
/// matter. 410: the receiver wants none any more. Retry-After (seconds) is heeded. On the thread of the
/// queues.
class Sender final : public events::Deliverer {
 public:
  /// The addresses outlive it.
  Sender(Secret secret, const outbound::AddressRules& addresses, const Clock& clock);

  /// Where `then` is called; before the first delivery.
  void set_executor(boost::asio::any_io_executor executor) { executor_ = std::move(executor); }

  std::shared_ptr<events::Attempting> deliver(
      events::Task task, std::function<void(std::vector<events::Verdict>)> then) override;

 private:
  const Secret secret_;
  const Clock& clock_;
  boost::asio::any_io_executor executor_;
  outbound::Client client_;
};

}  // namespace mayfly::callbacks
