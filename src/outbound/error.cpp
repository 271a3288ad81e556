#include "outbound/error.h"

namespace mayfly::outbound {

std::error_code make_error_code(OutboundErrc code) {
  static const SlugCategory<OutboundErrc, 8> category(
      "outbound", {"bad-url", "address-not-allowed", "unreachable", "timed-out", "not-trusted", "broken",
                   "busy", "stopped"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::outbound
