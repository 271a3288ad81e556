// A document that is fetched by a thread that may wait for it.
#pragma once

#include <chrono>
#include <string>

#include "outbound/address_rules.h"

namespace mayfly::outbound {

struct GetOptions {
  std::chrono::seconds longest{10};  ///< of the whole
  std::size_t most = 1U << 20U;      ///< bytes of the document
  /// Which addresses it connects to, whatever name or redirection led there; null: any.
  const AddressRules* rules = nullptr;
};

/// The body of an answer with a status below 400. Waits. It goes to no proxy.
[[nodiscard]] Result<std::string> get(const std::string& url, const GetOptions& options);

}  // namespace mayfly::outbound
