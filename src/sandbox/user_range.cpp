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
/// A namespace's users begin behind its root.
constexpr uid_t kFirstMapped = 1;

/// How many users beside 0 the user namespace of this process knows (user_namespaces(7), uid_map).
uid_t mapped_users() {
  std::ifstream map("/proc/self/uid_map");
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

Ranges find() {
  if (::geteuid() != 0) return {};
  const auto known = mapped_users();
  if (known > kFirst + 2 * kEach) return {{kFirst, kEach}, {kFirst + kEach, kEach}};
  if (known < 16) return {};
  const uid_t half = (known - kFirstMapped) / 2;
  return {{kFirstMapped, half}, {kFirstMapped + half, half}};
}

const Ranges& ranges() {
  static const Ranges found = find();
  return found;
}

}  // namespace

UserRange users_of_builds() { return ranges().builds; }
UserRange users_of_functions() { return ranges().functions; }

uid_t FunctionUsers::of(const std::string& function) {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(function);
  if (found != users_.end()) return found->second;
  const auto range = users_of_functions();
  if (taken_ >= range.count) return ::geteuid();
  // Another daemon of this machine takes from the same range: each begins somewhere else.
  static const uid_t offset = std::random_device{}();
  const uid_t user = range.first + (offset + taken_++) % range.count;
  users_.emplace(function, user);
  return user;
}

}  // namespace mayfly::sandbox
