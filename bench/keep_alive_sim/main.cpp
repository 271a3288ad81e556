// keep_alive_sim FOLDER [SEED]: one day of the Azure sample against our policy, a fixed ten minutes, and
// none. See README.md for what "equal memory" means here.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bound.h"
#include "policies.h"
#include "simulator.h"
#include "trace.h"

namespace {

using namespace mayfly::bench;
using mayfly::pool::KeepAliveOptions;

constexpr double kGiB = 1ULL << 30;

struct Workload {
  std::vector<TracedFunction> functions;
  std::vector<Arrival> day;
  std::uint32_t concurrency;
};

Outcome fixed(const Workload& load, double seconds) {
  FixedTime policy(load.functions.size(), seconds);
  return simulate(load.functions, load.day, load.concurrency, policy);
}

Outcome ours(const Workload& load, const KeepAliveOptions& options) {
  Ours policy(load.functions, options);
  return simulate(load.functions, load.day, load.concurrency, policy);
}

/// The price of memory at which our policy holds as much of it, on average, as `gib`. The only thing that is
/// chosen to fit; dearer memory is held less, so a bisection over its logarithm finds it.
KeepAliveOptions at_average(const Workload& load, double gib, KeepAliveOptions options) {
  double low = 1e-6, high = 1e-1;
  for (int i = 0; i < 12; ++i) {
    options.price_ms_per_gib_second = std::sqrt(low * high);
    (ours(load, options).average_gib > gib ? low : high) = options.price_ms_per_gib_second;
  }
  options.price_ms_per_gib_second = high;  // the side that holds less
  return options;
}

nlohmann::json row(const std::string& name, const Outcome& o, const Outcome& reference) {
  const double ratio = static_cast<double>(o.cold) / static_cast<double>(reference.cold);
  std::printf("  %-34s %8llu %7.3f %9llu %10.2f %9.2f %11.0f\n", name.c_str(),
              static_cast<unsigned long long>(o.cold), ratio, static_cast<unsigned long long>(o.prewarmed),
              o.average_gib, o.peak_gib, o.average_gib * 86400);
  return {{"policy", name},         {"invocations", o.invocations}, {"cold_starts", o.cold},
          {"ratio", ratio},         {"prewarmed", o.prewarmed},     {"average_gib", o.average_gib},
          {"busy_gib", o.busy_gib}, {"peak_gib", o.peak_gib},       {"gib_seconds", o.average_gib * 86400}};
}

nlohmann::json compare(const Workload& load) {
  const Outcome ten_minutes = fixed(load, 600);
  nlohmann::json rows;
  rows.push_back(row("fixed ten minutes", ten_minutes, ten_minutes));
  rows.push_back(row("no keep-alive", fixed(load, 0), ten_minutes));
  const auto average = at_average(load, ten_minutes.average_gib, {});
  rows.push_back(row("ours, equal average", ours(load, average), ten_minutes));
  KeepAliveOptions capped;
  capped.budget = static_cast<std::uint64_t>(ten_minutes.peak_gib * kGiB);
  capped.price_ms_per_gib_second = 0;
  rows.push_back(row("ours, equal peak", ours(load, capped), ten_minutes));
  auto no_prewarm = at_average(load, ten_minutes.average_gib, {.prewarm_cost = 1});
  rows.push_back(row("ours, equal average, no prewarm", ours(load, no_prewarm), ten_minutes));
  Outcome seer = ten_minutes;
  seer.cold = fewest_cold_starts(load.functions, load.day, load.concurrency,
                                 ten_minutes.average_gib - ten_minutes.busy_gib);
  rows.push_back(row("bound: holding, future known", seer, ten_minutes));
  return rows;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: keep_alive_sim FOLDER [SEED]\n");
    return 2;
  }
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  Workload load{load_trace(argv[1]), {}, 1};
  load.day = spread(load.functions, seed);
  nlohmann::json report{{"seed", seed}};
  struct Model {
    const char* name;
    std::uint32_t concurrency;
  };
  for (const Model& model :
       {Model{"function", UINT32_MAX}, Model{"concurrency 16", 16}, Model{"concurrency 1", 1}}) {
    load.concurrency = model.concurrency;
    std::printf("%s\n  %-34s %8s %7s %9s %10s %9s %11s\n", model.name, "policy", "cold", "ratio", "prewarmed",
                "avg GiB", "peak GiB", "GiB*s");
    report["models"][model.name] = compare(load);
  }
  if (const char* file = std::getenv("KEEP_ALIVE_SIM_JSON")) {
    std::FILE* out = std::fopen(file, "w");
    const std::string text = report.dump(1);
    std::fwrite(text.data(), 1, text.size(), out);
    std::fclose(out);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "keep_alive_sim: %s\n", error.what());
  return 1;
}
