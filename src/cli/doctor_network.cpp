#include "cli/doctor_checks.h"
#include "network/uplink.h"

namespace mayfly::cli {

std::vector<Finding> check_network() {
  const auto lacking = network::lacking_for_outbound();
  if (lacking.empty()) return {{"outbound network", Health::good, "can be made"}};
  return {{"outbound network", Health::warning, lacking,
           "functions with network = \"outbound\", which is the default, have no network without it"}};
}

}  // namespace mayfly::cli
