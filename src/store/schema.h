// The tables of DIR/mayfly.db and how an older file becomes a current one.
#pragma once

#include <span>

#include "store/database.h"

namespace mayfly::store {

/// The number of the newest migration; kept in the file as `PRAGMA user_version`.
[[nodiscard]] int schema_version();

/// Brings a database to schema_version(), each step in a transaction of its own: a crash between two
/// leaves a file that the next start continues with. A file of a newer Mayfly is refused
/// (StoreErrc::newer_schema) and not touched.
[[nodiscard]] Result<void> migrate(Database& database);

/// The same for a file with tables of its own. Migration i leads from version i to i + 1.
[[nodiscard]] Result<void> migrate(Database& database, std::span<const char* const> migrations);

}  // namespace mayfly::store
