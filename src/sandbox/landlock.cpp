#include "sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/fd.h"

namespace mayfly::sandbox {
namespace {

/// Of a kernel that is newer than the headers that this is compiled with (linux/landlock.h, as of version 7).
struct Ruleset {
  std::uint64_t handled_files;
  std::uint64_t handled_network;
  std::uint64_t scoped;
};
constexpr std::uint64_t kRefer = 1ULL << 13U;         // version 2
constexpr std::uint64_t kTruncate = 1ULL << 14U;      // version 3
constexpr std::uint64_t kScopeAbstract = 1ULL << 0U;  // version 6
constexpr std::uint64_t kScopeSignal = 1ULL << 1U;

constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kOfFolders =
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

bool allow(int ruleset, const char* path, std::uint64_t access) noexcept {
  const Fd folder(::open(path, O_PATH | O_CLOEXEC));
  if (!folder) return true;  // what is not there needs no permission
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = folder.get();
  return ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

std::uint64_t writing(int version) noexcept {
  auto access = kOfFiles | kOfFolders;
  if (version >= 2) access |= kRefer;
  if (version >= 3) access |= kTruncate;
  return access;
}

/// What reaches out of a sandbox by no file: nothing before version 6.
std::uint64_t scopes(int version) noexcept { return version >= 6 ? kScopeAbstract | kScopeSignal : 0; }

}  // namespace

int landlock_version() noexcept {
  const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

const char* enter_landlock() noexcept {
  const int version = landlock_version();
  if (version == 0) return nullptr;
  const auto access = writing(version);
  Ruleset all{access, 0, scopes(version)};
  const std::size_t size = version >= 6 ? sizeof all : sizeof all.handled_files;
  const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, size, 0)));
  if (!ruleset) return "landlock_create_ruleset";
  const auto files = access & (kOfFiles | (version >= 3 ? kTruncate : 0));
  if (!allow(ruleset.get(), "/tmp", access) || !allow(ruleset.get(), "/dev", files) ||
      !allow(ruleset.get(), "/proc", files))
    return "landlock_add_rule";
  return ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0 ? nullptr : "landlock_restrict_self";
}

const char* enter_landlock_of_template() noexcept {
  Ruleset reach{0, 0, scopes(landlock_version())};
  if (reach.scoped == 0) return nullptr;
  const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &reach, sizeof reach, 0)));
  if (!ruleset) return "landlock_create_ruleset";
  return ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0 ? nullptr : "landlock_restrict_self";
}

}  // namespace mayfly::sandbox
