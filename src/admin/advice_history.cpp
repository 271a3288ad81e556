#include "admin/advice_history.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>

#include "registry/config_keys.h"
#include "registry/main_version.h"

namespace mayfly::admin {

std::uint64_t invocations_of_events(const std::vector<events::QueueView>& queues) {
  std::uint64_t sum = 0;
  for (const auto& queue : queues) {
    const auto& figures = queue.figures;
    sum += (figures.succeeded + figures.failed + figures.dead) /
           static_cast<std::uint64_t>(std::max(1, queue.policy.batch));
  }
  return sum;
}

namespace {

using advise::Bucket;
using advise::History;
using nlohmann::json;
using std::chrono::sys_seconds;

constexpr double kGib = 1024.0 * 1024 * 1024;
constexpr double kGibPerKibMs = 1.0 / (1024.0 * 1024 * 1000);  // GiB s of a KiB ms
/// Of all invocations; from there on figures are said to be shares.
constexpr double kMuchShared = 0.1;

double seconds_of(std::uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

/// The numbers of the versions that are configured as the main one.
std::set<std::uint32_t> same_versions(const registry::Function& function) {
  std::set<std::uint32_t> numbers;
  const auto& main = registry::main_version(function);
  if (!main) return numbers;
  const auto wanted = registry::config_to_json(main->config);
  for (const auto& [number, version] : function.versions)
    if (registry::config_to_json(version->config) == wanted) numbers.insert(number);
  return numbers;
}

void add(Bucket& bucket, const meter::UsageRow& row) {
  const auto& usage = row.usage;
  const bool background = row.key.invocation_class == meter::InvocationClass::background;
  const auto requests = usage.invocations - std::min(usage.invocations, usage.rejected);
  bucket.requests += requests;
  bucket.failures += usage.failed + usage.timed_out;
  bucket.overdue += usage.timed_out;
  if (background) bucket.unattended += requests;
  bucket.starts += usage.starts;
  bucket.wall_s += seconds_of(usage.wall_ns);
  bucket.waiting_s += seconds_of(usage.waiting_ns);
  bucket.init_s += seconds_of(usage.init_ns);
  bucket.cpu_s += seconds_of(usage.cpu_ns);
  bucket.other_cpu_s += seconds_of(usage.init_cpu_ns + usage.idle_cpu_ns);
  bucket.gib_s += static_cast<double>(usage.reserved_kib_ms) * kGibPerKibMs;
  bucket.used_gib_s += static_cast<double>(usage.memory_kib_ms) * kGibPerKibMs;
  bucket.bytes_in += usage.bytes_in;
  bucket.bytes_out += usage.bytes_out;
}

/// Attempts at events are the newest requests: there is no older figure of them.
void add_unattended(History& history, std::uint64_t delivered) {
  for (auto& bucket : std::views::reverse(history.buckets)) {
    const auto here = std::min(delivered, bucket.requests - bucket.unattended);
    bucket.unattended += here;
    delivered -= here;
  }
}

/// Memory of the main version's template and of an instance, as they are now.
void add_memory(History& history, const json& live, std::uint32_t version) {
  for (const auto& one : live.value("templates", json::array())) {
    if (one.value("version", 0U) != version) continue;
    const auto of_template = one.value("memory_bytes", std::uint64_t{0});
    const auto instances = one.value("instances", json::object());
    const auto of_one = instances.value("memory_bytes", std::uint64_t{0});
    if (of_template > 0) history.template_gib = static_cast<double>(of_template) / kGib;
    // A process that runs alone has what its template had, too.
    if (of_one > 0) history.instance_gib = static_cast<double>(of_one + of_template) / kGib;
  }
}

advise::Configuration configuration_of(const registry::FunctionConfig& config, const meter::Usage& sum) {
  advise::Configuration result;
  result.timeout_s = std::chrono::duration<double>(config.timeout).count();
  result.memory_gib = static_cast<double>(config.memory) / kGib;
  // Where it is not set, as many as there really were at once, in the mean of the time in which there was
  // one.
  const double at_once =
      sum.busy_ns > 0 ? static_cast<double>(sum.wall_ns) / static_cast<double>(sum.busy_ns) : 1;
  result.concurrency = config.concurrency.value_or(
      std::clamp(static_cast<int>(std::lround(std::min(at_once, 1'000.0))), 1, 1'000));
  result.min_instances = config.min_instances;
  result.max_instances = config.max_instances;
  result.background = config.invocation_class == registry::InvocationClass::background;
  result.fresh_memory = config.isolation == registry::Isolation::request;
  if (result.fresh_memory) result.concurrency = 1;
  result.datasets = !config.datasets.empty();
  return result;
}

sys_seconds whole_seconds(std::int64_t ms) {
  return sys_seconds(std::chrono::floor<std::chrono::seconds>(milliseconds(ms)));
}

}  // namespace

WallTime advice_begin(const AdviceSource& source) {
  auto begin = source.now;
  for (const auto number : same_versions(source.function))
    begin = std::min(begin, source.function.versions.at(number)->created);
  return std::max<WallTime>(begin, source.now - kAdviceWindow);
}

History advice_history(const AdviceSource& source, std::span<const meter::UsageRow> rows,
                       meter::Resolution resolution) {
  History history;
  history.function = source.function.name;
  history.utc_offset = source.utc_offset;
  history.begin = std::chrono::floor<std::chrono::seconds>(advice_begin(source));
  history.end =
      std::max(std::chrono::ceil<std::chrono::seconds>(source.now), history.begin + std::chrono::seconds(1));
  const auto length = std::chrono::duration_cast<std::chrono::seconds>(meter::length_of(resolution));
  const auto counts = same_versions(source.function);
  std::map<sys_seconds, Bucket> buckets;
  meter::Usage sum;
  for (const auto& row : rows) {
    const auto start = whole_seconds(row.start_ms);
    if (row.key.function != history.function || !counts.contains(row.key.version)) continue;
    if (start + length <= history.begin || start >= history.end) continue;
    auto& bucket = buckets[start];
    bucket.start = std::max(start, history.begin);
    bucket.length_s = static_cast<double>((std::min(start + length, history.end) - bucket.start).count());
    add(bucket, row);
    sum.add(row.usage);
  }
  for (const auto& [start, bucket] : buckets) history.buckets.push_back(bucket);
  add_unattended(history, source.delivered);
  history.shared = static_cast<double>(sum.shared) > kMuchShared * static_cast<double>(sum.invocations);
  if (const auto& main = registry::main_version(source.function)) {
    add_memory(history, source.live, main->number);
    history.configuration = configuration_of(main->config, sum);
  }
  return history;
}

}  // namespace mayfly::admin
