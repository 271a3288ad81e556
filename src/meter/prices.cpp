#include "meter/prices.h"

#include <algorithm>

namespace mayfly::meter {
namespace {

constexpr double kNanosecond = 1e-9;
constexpr double kGibSecond = 1.0 / (1024.0 * 1024.0 * 1000.0);  // a KiB for a millisecond

}  // namespace

Cost cost_of(const Usage& usage, InvocationClass which, const Prices& prices) {
  const auto figure = [](std::uint64_t count, double unit) { return static_cast<double>(count) * unit; };
  if (which == InvocationClass::background)
    return {0, figure(usage.memory_kib_ms, kGibSecond) * prices.background_gib_s,
            figure(usage.total_cpu_ns(), kNanosecond) * prices.background_cpu_s};
  return {figure(usage.invocations - std::min(usage.invocations, usage.rejected), prices.request),
          figure(usage.reserved_kib_ms, kGibSecond) * prices.gib_s,
          figure(usage.cpu_ns, kNanosecond) * prices.cpu_s};
}

}  // namespace mayfly::meter
