// The users that a daemon can be besides itself: for builds, and one for each function.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace mayfly::sandbox {

/// User ids (and group ids of the same numbers) that belong to nobody.
struct UserRange {
  uid_t first = 0;
  uid_t count = 0;  ///< 0: there are none
  [[nodiscard]] bool contains(uid_t user) const { return user >= first && user - first < count; }
};

/// As root: ranges that neither Debian's policy, nor systemd, nor the usual ranges for user namespaces give
/// to anyone. In a user namespace of an ordinary user (own_root.h): what /etc/subuid gives that user, if
/// anything. For any other process nobody. The answer is found once, at the first call.
[[nodiscard]] UserRange users_of_builds();
[[nodiscard]] UserRange users_of_functions();

/// A user for each function of this daemon, the same one while the daemon lives. Thread-safe.
class FunctionUsers {
 public:
  /// The daemon's own user where there are no others. Nothing: all of them are taken.
  [[nodiscard]] std::optional<uid_t> of(const std::string& function);

 private:
  std::mutex mutex_;
  std::map<std::string, uid_t> users_;
  uid_t taken_ = 0;
};

}  // namespace mayfly::sandbox
