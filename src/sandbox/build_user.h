// The user that a confined command is, and what belongs to it meanwhile.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.h"

namespace mayfly::sandbox {

/// One user id (and group id) of users_of_builds(); two commands at once never have the same. Where there are
/// none the daemon's own user. Move-only: its end gives the number back.
class BuildUser {
 public:
  [[nodiscard]] static Result<BuildUser> take();
  /// Owns the folders that commands share (ConfinedCommand::caches).
  [[nodiscard]] static BuildUser of_caches();
  BuildUser(BuildUser&& other) noexcept;
  BuildUser& operator=(BuildUser&&) = delete;
  BuildUser(const BuildUser&) = delete;
  BuildUser& operator=(const BuildUser&) = delete;
  ~BuildUser();

  [[nodiscard]] uid_t id() const noexcept { return id_; }
  /// Whether it is another user than the daemon's.
  [[nodiscard]] bool other() const noexcept;
  /// Whether no other process can have it.
  [[nodiscard]] bool exclusive() const noexcept { return leased_; }

  /// Makes it the owner of a folder and all that is in it.
  [[nodiscard]] Result<void> give(const std::filesystem::path& folder) const;
  /// Makes the daemon the owner of what belongs to it there, readable and writable by the daemon, with no
  /// setuid, setgid or sticky bit. No process of the user may be left. (The kernel removes capabilities of
  /// a file when its owner changes, chown(2).)
  [[nodiscard]] Result<void> take_back(const std::filesystem::path& folder) const;

 private:
  BuildUser(uid_t id, bool leased) : id_(id), leased_(leased) {}

  uid_t id_;
  bool leased_;
};

}  // namespace mayfly::sandbox
