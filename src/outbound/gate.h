// The gate of a transfer: it lets through connections to addresses that the rules allow, and no others.
#pragma once

#include "outbound/address_rules.h"
#include "outbound/transfer.h"

namespace mayfly::outbound {

/// Belongs to one transfer and outlives it.
class Gate {
 public:
  /// Null: every address. The rules outlive it.
  explicit Gate(const AddressRules* rules) : rules_(rules) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// From now on the address that is judged is the one that is connected to: no proxy, whatever the
  /// environment says.
  void put_before(CURL* transfer);
  /// What ended the transfer; `said` as for error_of().
  [[nodiscard]] Error error(CURLcode code, const char* said) const;

 private:
  static curl_socket_t on_socket(Gate* self, curlsocktype purpose, curl_sockaddr* address);

  const AddressRules* rules_;
  bool refused_ = false;
};

}  // namespace mayfly::outbound
