// Time zones: which local time it is, and when clocks change. From the system's database (package tzdata).
#pragma once

#include <chrono>
#include <string_view>

#include "base/result.h"

namespace date {
class time_zone;
}

namespace mayfly::schedule {

/// From `begin` until `end`, local time is UTC + `offset`.
struct Period {
  std::chrono::sys_seconds begin;
  std::chrono::sys_seconds end;
  std::chrono::seconds offset;
};

/// Copied freely: it points into a database that stays as long as the process. Safe on any thread. A later
/// change of the system's database is seen at the next start.
class Zone {
 public:
  /// UTC, which needs no database.
  Zone() = default;
  /// By a name of the IANA database, like "Europe/Berlin". bad_schedule: it has none of the name (the nearest
  /// is named), or there is no database. Reads files.
  [[nodiscard]] static Result<Zone> find(std::string_view name);

  /// The period that a time is in. The first call for a zone reads its file.
  [[nodiscard]] Period period_at(std::chrono::sys_seconds time) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: UTC
};

}  // namespace mayfly::schedule
