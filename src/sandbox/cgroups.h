// The control groups of a daemon: one below its own group, and in that one for each version.
//
//   <the daemon's own group>/mayfly-<12 hexadecimal digits>/<function>@<version>
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "sandbox/cgroup.h"
#include "sandbox/cgroup_host.h"

namespace mayfly::sandbox {

/// A part that this host does not give, and why, for people.
struct MissingCgroupPart {
  CgroupPart part;
  std::string why;
};

struct CgroupOptions {
  std::vector<CgroupHierarchy> host;  ///< find_own_cgroups(); empty: use none
  std::string folder;                 ///< the daemon's data folder: names its group
  const CgroupFiles* files = &host_cgroup_files();
  int pid = 0;  ///< of the daemon
};

/// Thread-safe.
class Cgroups final : public Cgroup::Owner, public std::enable_shared_from_this<Cgroups> {
 public:
  /// Makes the daemon's group, and clears away those of daemons that are gone: nobody holds their lock any
  /// more. On version 2 the daemon moves itself into a group below its own one, if it is alone there, since a
  /// group with processes cannot hand controllers down. Blocks for milliseconds.
  [[nodiscard]] static std::shared_ptr<Cgroups> open(const CgroupOptions& options);
  ~Cgroups() override = default;
  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;

  /// A new group, without limits. Takes up to some milliseconds. `name` gets a number if it is taken.
  [[nodiscard]] Result<std::unique_ptr<Cgroup>> make(const std::string& name);
  /// Removes those that were given back and are empty now. May block for milliseconds.
  void collect();
  /// At the end: removes all, given back or not, within the time given; what does not go by then stays for
  /// the next daemon.
  void close(std::chrono::milliseconds patience);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool has(CgroupPart part) const;
  [[nodiscard]] const std::vector<MissingCgroupPart>& missing() const { return missing_; }
  /// "cgroup v2", "cgroup v1", "cgroup v1 and v2", "none".
  [[nodiscard]] std::string version() const;

 private:
  Cgroups(const CgroupFiles& files, std::string name) : files_(files), name_(std::move(name)) {}
  void retire(const std::string& name) override;
  void choose_places(const std::vector<CgroupHierarchy>& host);
  [[nodiscard]] Result<CgroupPlace> take(const CgroupHierarchy& hierarchy, std::string_view controller);
  [[nodiscard]] Result<void> enter(const std::filesystem::path& own, bool unified);
  void clear_dead(const std::filesystem::path& own, bool unified);
  void weigh() const;
  [[nodiscard]] CgroupPlaces places_of(const std::string& name) const;
  [[nodiscard]] bool remove(const std::string& name) const;

  const CgroupFiles& files_;
  std::string name_;
  int pid_ = 0;
  CgroupPlaces places_;  // of the daemon's group
  std::map<std::filesystem::path, Result<void>> entered_;
  std::vector<Fd> locks_;
  std::vector<MissingCgroupPart> missing_;
  std::mutex mutex_;
  std::set<std::string> used_;     // names; those given back included, until they are removed
  std::set<std::string> retired_;  // of them
};

}  // namespace mayfly::sandbox
