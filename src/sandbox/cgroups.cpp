#include "sandbox/cgroups.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <thread>

namespace mayfly::sandbox {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "mayfly-";
constexpr std::size_t kDigits = 12;
/// The controller of each part: of version 2 (empty: every group has it), and of version 1.
struct Controllers {
  CgroupPart part;
  std::string_view unified;
  std::string_view legacy;
};
constexpr std::array<Controllers, kCgroupParts> kControllers{{{CgroupPart::memory, "memory", "memory"},
                                                              {CgroupPart::cpu, "cpu", "cpu"},
                                                              {CgroupPart::processes, "pids", "pids"},
                                                              {CgroupPart::control, "", "freezer"},
                                                              {CgroupPart::cpu_time, "", "cpuacct"}}};

/// Whether a file with words divided by blanks has this one.
bool has_word(const Result<std::string>& text, std::string_view word) {
  if (!text) return false;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find_first_of(" \n"), rest.size());
    if (rest.substr(0, end) == word) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::string group_name(const std::string& folder) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%012zx", std::hash<std::string>{}(folder) & 0xffff'ffff'ffffU);
  return std::string(kPrefix) + text.data();
}

bool is_group_of_a_daemon(std::string_view name) {
  return name.starts_with(kPrefix) && name.size() == kPrefix.size() + kDigits &&
         name.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

/// Hands a controller down from a group to those below it.
Result<void> hand_down(const CgroupFiles& files, const fs::path& group, std::string_view controller) {
  const auto file = group / "cgroup.subtree_control";
  if (has_word(files.read(file), controller)) return {};
  return files.write(file, "+" + std::string(controller));
}

/// Moves this process from its group into a new one below, if no other is there.
bool move_down(const CgroupFiles& files, const fs::path& own, int pid) {
  const auto processes = files.read(own / "cgroup.procs");
  if (!processes || *processes != std::to_string(pid) + "\n") return false;
  const auto leaf = own / "mayfly-daemon";
  return files.make_group(leaf) && files.write(leaf / "cgroup.procs", std::to_string(pid));
}

const CgroupHierarchy* unified_of(const std::vector<CgroupHierarchy>& host) {
  const auto found = std::ranges::find_if(host, &CgroupHierarchy::unified);
  return found == host.end() ? nullptr : &*found;
}

const CgroupHierarchy* legacy_of(const std::vector<CgroupHierarchy>& host, std::string_view controller) {
  const auto found = std::ranges::find_if(host, [&](const CgroupHierarchy& one) {
    return !one.unified && std::ranges::find(one.controllers, controller) != one.controllers.end();
  });
  return found == host.end() ? nullptr : &*found;
}

}  // namespace

std::shared_ptr<Cgroups> Cgroups::open(const CgroupOptions& options) {
  std::shared_ptr<Cgroups> groups(new Cgroups(*options.files, group_name(options.folder)));
  groups->pid_ = options.pid;
  groups->choose_places(options.host);
  groups->weigh();
  return groups;
}

/// What needs no controller in version 2 goes where the others are: only a tree of version 1 is joined at
/// once.
void Cgroups::choose_places(const std::vector<CgroupHierarchy>& host) {
  for (const auto& controllers : kControllers) {
    std::string why = host.empty() ? "control groups are not used" : "no tree has such a controller";
    bool taken = false;
    const auto* unified = unified_of(host);
    const auto* legacy = legacy_of(host, controllers.legacy);
    const bool legacy_first = controllers.unified.empty() && version() == "cgroup v1";
    for (const auto* hierarchy : {legacy_first ? legacy : unified, legacy_first ? unified : legacy}) {
      if (taken || hierarchy == nullptr) continue;
      auto place = take(*hierarchy, hierarchy->unified ? controllers.unified : controllers.legacy);
      if (place)
        places_[static_cast<std::size_t>(controllers.part)] = std::move(*place);
      else if (!place.error().message.empty())
        why = place.error().message;
      taken = place.has_value();
    }
    if (!taken) missing_.push_back({controllers.part, std::move(why)});
  }
}

/// The daemon's group in a tree, with one controller (of version 2 none: what every group has). An error
/// without words: the tree does not have it.
Result<CgroupPlace> Cgroups::take(const CgroupHierarchy& hierarchy, std::string_view controller) {
  const bool hand_down_needed = hierarchy.unified && !controller.empty();
  if (hand_down_needed && !has_word(files_.read(hierarchy.own / "cgroup.controllers"), controller))
    return fail(std::make_error_code(std::errc::not_supported), "");
  const auto group = hierarchy.own / name_;
  auto entered = enter(hierarchy.own, hierarchy.unified);
  if (!entered) return propagate(entered);
  if (hand_down_needed) {
    auto done = hand_down(files_, hierarchy.own, controller);
    if (!done && move_down(files_, hierarchy.own, pid_)) done = hand_down(files_, hierarchy.own, controller);
    if (done) done = hand_down(files_, group, controller);
    if (!done) return propagate(done);
  }
  return CgroupPlace{group, hierarchy.unified};
}

/// Makes the daemon's group in a tree, once.
Result<void> Cgroups::enter(const fs::path& own, bool unified) {
  if (const auto found = entered_.find(own); found != entered_.end()) return found->second;
  clear_dead(own, unified);
  auto done = files_.make_group(own / name_);
  if (done) {
    auto lock = files_.lock(own / name_);
    if (lock) locks_.push_back(std::move(*lock));
    if (!lock) done = propagate(lock);
  }
  return entered_.emplace(own, std::move(done)).first->second;
}

/// What daemons that are gone have left. Nobody can tell by their name that they are gone, but by their lock.
void Cgroups::clear_dead(const fs::path& own, bool unified) {
  for (const auto& name : files_.groups(own)) {
    if (!is_group_of_a_daemon(name) || !files_.lock(own / name)) continue;
    for (const auto& below : files_.groups(own / name)) {
      kill_group_members(files_, {own / name / below, unified});
      (void)files_.remove_group(own / name / below);
    }
    (void)files_.remove_group(own / name);
  }
}

/// Beside the daemon, which is a few threads, all functions together weigh as much as a task on each core.
void Cgroups::weigh() const {
  const auto& place = places_[static_cast<std::size_t>(CgroupPart::cpu)];
  if (!place) return;
  const auto cores = std::clamp(std::thread::hardware_concurrency(), 1U, 100U);
  const auto file = place->folder / (place->unified ? "cpu.weight" : "cpu.shares");
  (void)files_.write(file, std::to_string(cores * (place->unified ? 100 : 1024)));
}

CgroupPlaces Cgroups::places_of(const std::string& name) const {
  CgroupPlaces places = places_;
  for (auto& place : places)
    if (place) place->folder /= name;
  return places;
}

Result<std::unique_ptr<Cgroup>> Cgroups::make(const std::string& name) {
  std::string own = name;
  {
    const std::lock_guard lock(mutex_);
    for (unsigned i = 2; !used_.insert(own).second; ++i) own = name + "." + std::to_string(i);
  }
  auto places = places_of(own);
  for (const auto& place : distinct(places)) {
    if (auto made = files_.make_group(place.folder); !made) {
      retire(own);
      return propagate(made);
    }
  }
  return std::make_unique<Cgroup>(files_, std::move(own), std::move(places), shared_from_this());
}

void Cgroups::retire(const std::string& name) {
  const std::lock_guard lock(mutex_);
  retired_.insert(name);
}

bool Cgroups::remove(const std::string& name) const {
  const auto places = places_of(name);
  bool gone = true;
  for (const auto& place : distinct(places)) gone &= files_.remove_group(place.folder).has_value();
  const auto& control = places[static_cast<std::size_t>(CgroupPart::control)];
  if (!gone && control) kill_group_members(files_, *control);
  return gone;
}

void Cgroups::collect() {
  std::set<std::string> names;
  {
    const std::lock_guard lock(mutex_);
    names = retired_;
  }
  for (const auto& name : names) {
    if (!remove(name)) continue;
    const std::lock_guard lock(mutex_);
    retired_.erase(name);
    used_.erase(name);
  }
}

void Cgroups::close(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  {
    const std::lock_guard lock(mutex_);
    retired_ = used_;
  }
  for (collect(); !used_.empty() && std::chrono::steady_clock::now() < until; collect())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const auto& place : distinct(places_)) (void)files_.remove_group(place.folder);
}

bool Cgroups::has(CgroupPart part) const { return places_[static_cast<std::size_t>(part)].has_value(); }

std::string Cgroups::version() const {
  bool unified = false;
  bool legacy = false;
  for (const auto& place : places_) {
    if (!place) continue;
    (place->unified ? unified : legacy) = true;
  }
  if (unified && legacy) return "cgroup v1 and v2";
  if (unified) return "cgroup v2";
  return legacy ? "cgroup v1" : "none";
}

}  // namespace mayfly::sandbox
