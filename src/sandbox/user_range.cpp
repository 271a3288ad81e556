#include "sandbox/user_range.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <random>

namespace mayfly::sandbox {
namespace {

constexpr uid_t kFirst = 1'900'000'000;
constexpr uid_t kEach = 65'536;

/// The users that the user namespace of this process knows end here; the same for groups
/// (user_namespaces(7)).
uid_t end_of(const char* map_file) {
  std::ifstream map(map_file);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t length = 0;
  std::uint64_t end = 0;
  while (map >> inside >> outside >> length) end = std::max(end, inside + length);
  return static_cast<uid_t>(std::min<std::uint64_t>(end, 0xffff'fffeU));
}

struct Ranges {
  UserRange builds;
  UserRange functions;
};

/// In a namespace that knows the usual 65,536: what systemd keeps for services without a user
/// (systemd.exec(5), DynamicUser=), which no package of a container takes.
constexpr uid_t kDynamic = 61'184;
constexpr uid_t kDynamicEnd = 65'520;
constexpr uid_t kFewest = 16;

Ranges find() {
  const auto end = std::min(end_of("/proc/self/uid_map"), end_of("/proc/self/gid_map"));
  if (end > kFirst + 2 * kEach) return {{kFirst, kEach}, {kFirst + kEach, kEach}};
  if (end < kFewest) return {};
  const uid_t first = end >= kDynamicEnd ? kDynamic : end / 2;
  const uid_t half = (std::min(end, kDynamicEnd) - first) / 2;
  return {{first, half}, {first + half, half}};
}

const Ranges& ranges() {
  static const Ranges found = find();
  return found;
}

}  // namespace

UserRange users_of_builds() { return ::geteuid() == 0 ? ranges().builds : UserRange{}; }
UserRange users_of_functions() { return ::geteuid() == 0 ? ranges().functions : UserRange{}; }

std::optional<uid_t> FunctionUsers::of(const std::string& function) {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(function);
  if (found != users_.end()) return found->second;
  const auto range = users_of_functions();
  if (range.count == 0) return ::geteuid();
  if (taken_ >= range.count) return std::nullopt;
  // Another daemon of this machine takes from the same range: each begins somewhere else.
  static const uid_t offset = std::random_device{}() % range.count;
  const uid_t user = range.first + (offset + taken_++) % range.count;
  users_.emplace(function, user);
  return user;
}

}  // namespace mayfly::sandbox
