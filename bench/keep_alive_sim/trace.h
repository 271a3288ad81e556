// One day of invocations in the format of the Azure Functions trace of 2019 (Azure Public Dataset).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace mayfly::bench {

/// Run times of one function in milliseconds, by linear interpolation between the published percentiles.
class DurationCurve {
 public:
  static constexpr std::array<double, 7> percentiles{0, 1, 25, 50, 75, 99, 100};
  explicit DurationCurve(const std::array<double, 7>& milliseconds) : values_(milliseconds) {}
  /// `u` in [0, 1).
  [[nodiscard]] double at(double u) const;

 private:
  std::array<double, 7> values_;
};

struct TracedFunction {
  std::string hash;
  std::vector<std::uint32_t> per_minute;
  DurationCurve durations;
  std::uint64_t bytes;  ///< mean allocated memory
};

struct Arrival {
  double at;        ///< seconds since midnight
  double duration;  ///< seconds
  std::uint32_t function;
};

/// Reads invocations.csv, durations.csv and memory.csv of a folder. Throws std::runtime_error.
[[nodiscard]] std::vector<TracedFunction> load_trace(const std::filesystem::path& folder);

/// Where in its minute an invocation falls is not in the data: each is placed uniformly at random,
/// independent of the others. Its run time is drawn from the function's percentiles. Sorted by time.
[[nodiscard]] std::vector<Arrival> spread(const std::vector<TracedFunction>& functions, std::uint64_t seed);

}  // namespace mayfly::bench
