#include "sandbox/limit_layers.h"

#include <algorithm>
#include <array>

namespace mayfly::sandbox {
namespace {

constexpr std::string_view kLooks = "only the daemon looks, twenty times a second";

struct Limit {
  std::string_view name;
  CgroupPart part;
  std::string_view instead;  ///< what holds without it
};
constexpr std::array<Limit, 3> kLimits{
    {{"memory-limit", CgroupPart::memory, kLooks},
     {"cpu-limit", CgroupPart::cpu, "`cpu` has no effect, and functions share as processes do"},
     {"process-limit", CgroupPart::processes, kLooks}}};

std::string why_missing(const Cgroups& groups, const Limit& limit) {
  const auto found = std::ranges::find(groups.missing(), limit.part, &MissingCgroupPart::part);
  const auto why = found == groups.missing().end() ? std::string() : found->why;
  return why + ": " + std::string(limit.instead) +
         ". What gives the daemon a control group of its own is in docs/operations.md";
}

}  // namespace

std::vector<Layer> limit_layers(const Cgroups& groups) {
  std::vector<Layer> layers;
  for (const auto& limit : kLimits) {
    const bool there = groups.has(limit.part);
    layers.push_back({std::string(limit.name), there, there ? groups.version() : why_missing(groups, limit)});
  }
  return layers;
}

bool is_limit_layer(std::string_view name) {
  return std::ranges::find(kLimits, name, &Limit::name) != kLimits.end();
}

}  // namespace mayfly::sandbox
