#include "sandbox/cgroup_host.h"

#include <algorithm>
#include <optional>
#include <ranges>

#include "sandbox/cgroup_files.h"

namespace mayfly::sandbox {
namespace fs = std::filesystem;
namespace {

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, at)) parts.emplace_back(part.begin(), part.end());
  return parts;
}

/// "\040" and the like, as mountinfo writes blanks in paths.
std::string unescaped(std::string_view text) {
  const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// A line of /proc/self/cgroup: "4:memory:/a/b"; version 2 has no controllers: "0::/a/b".
struct Membership {
  std::vector<std::string> controllers;
  fs::path group;
};

std::vector<Membership> memberships(std::string_view text) {
  std::vector<Membership> all;
  for (const auto line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    Membership one;
    for (const auto name : split(line.substr(first + 1, second - first - 1), ','))
      if (!name.empty()) one.controllers.emplace_back(name);
    one.group = fs::path(line.substr(second + 1));
    all.push_back(std::move(one));
  }
  return all;
}

/// Where a mount shows a group; nothing if the group is not below what is mounted.
std::optional<fs::path> place_of(const fs::path& group, const fs::path& root, const fs::path& mounted_at) {
  const auto inside = group.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") return std::nullopt;
  return inside == "." ? mounted_at : mounted_at / inside;
}

bool is_of(const Membership& membership, bool unified, std::string_view super_options) {
  if (unified) return membership.controllers.empty();
  if (membership.controllers.empty()) return false;
  const auto options = split(super_options, ',');
  return std::ranges::all_of(membership.controllers, [&](const std::string& name) {
    return std::ranges::find(options, name) != options.end();
  });
}

}  // namespace

std::vector<CgroupHierarchy> find_cgroups(std::string_view mountinfo, std::string_view cgroup) {
  const auto own = memberships(cgroup);
  std::vector<CgroupHierarchy> found;
  for (const auto line : split(mountinfo, '\n')) {
    // "31 23 0:28 ROOT MOUNTED_AT OPTIONS [TAGS…] - TYPE SOURCE SUPER_OPTIONS"
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto front = split(line.substr(0, dash), ' ');
    const auto back = split(line.substr(dash + 3), ' ');
    if (front.size() < 6 || back.size() < 3 || !back[0].starts_with("cgroup")) continue;
    const bool unified = back[0] == "cgroup2";
    for (const auto& membership : own) {
      if (!is_of(membership, unified, back[2])) continue;
      auto place = place_of(membership.group, unescaped(front[3]), unescaped(front[4]));
      const bool known = std::ranges::any_of(found, [&](const CgroupHierarchy& one) {
        return one.unified == unified && one.controllers == membership.controllers;
      });
      if (place && !known) found.push_back({std::move(*place), unified, membership.controllers});
    }
  }
  return found;
}

std::vector<CgroupHierarchy> find_own_cgroups() {
  const auto mountinfo = host_cgroup_files().read("/proc/self/mountinfo");
  const auto cgroup = host_cgroup_files().read("/proc/self/cgroup");
  if (!mountinfo || !cgroup) return {};
  return find_cgroups(*mountinfo, *cgroup);
}

}  // namespace mayfly::sandbox
