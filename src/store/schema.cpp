#include "store/schema.h"

#include <array>

namespace mayfly::store {
namespace {

/// Migration i leads from version i to i + 1. One that has been released is never edited: add another.
constexpr std::array kMigrations = {
    // Times are milliseconds since the epoch. A deleted function keeps its row, and with it the numbers it
    // has used: name@3 never means two things.
    R"sql(
CREATE TABLE functions (
  name TEXT PRIMARY KEY,
  next_version INTEGER NOT NULL DEFAULT 1,
  sticky TEXT NOT NULL DEFAULT '',
  deleted INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
  function TEXT NOT NULL REFERENCES functions(name),
  number INTEGER NOT NULL CHECK (number > 0),
  digest TEXT NOT NULL,   -- of the deployment, configuration included
  source TEXT NOT NULL,   -- folder below sources/, the digest of the content
  runtime TEXT NOT NULL,
  entry TEXT NOT NULL,
  config TEXT NOT NULL,   -- JSON
  created INTEGER NOT NULL,
  PRIMARY KEY (function, number)
) STRICT, WITHOUT ROWID;

-- No ON DELETE: a version with traffic or an alias cannot be deleted, whatever the code above forgets.
CREATE TABLE weights (
  function TEXT NOT NULL,
  version INTEGER NOT NULL,
  weight INTEGER NOT NULL CHECK (weight > 0),
  PRIMARY KEY (function, version),
  FOREIGN KEY (function, version) REFERENCES versions(function, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE aliases (
  function TEXT NOT NULL,
  alias TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (function, alias),
  FOREIGN KEY (function, version) REFERENCES versions(function, number)
) STRICT, WITHOUT ROWID;
)sql",
    // Folders below layers/, separated by spaces.
    R"sql(
ALTER TABLE versions ADD COLUMN layers TEXT NOT NULL DEFAULT '';
)sql",
    R"sql(
CREATE TABLE secrets (
  name TEXT PRIMARY KEY,
  sealed BLOB NOT NULL,  -- nonce, ciphertext, tag
  key TEXT NOT NULL,     -- fingerprint of the key that it was sealed with
  created INTEGER NOT NULL,
  updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE tokens (
  name TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,  -- SHA-256 of the token, hexadecimal
  scopes INTEGER NOT NULL,    -- sum of bits: 1 read, 2 invoke, 4 deploy
  created INTEGER NOT NULL,
  expires INTEGER             -- NULL: never
) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE keys (
  name TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,  -- SHA-256 of the key
  functions TEXT NOT NULL,    -- separated by blanks; '': all
  rate TEXT NOT NULL,         -- as in "100/s"; '': none
  created INTEGER NOT NULL,
  expires INTEGER             -- NULL: never
) STRICT, WITHOUT ROWID;
)sql",
    // Where the newest version came from, for people.
    R"sql(
ALTER TABLE functions ADD COLUMN origin TEXT NOT NULL DEFAULT '';
)sql",
    R"sql(
CREATE TABLE datasets (
  name TEXT PRIMARY KEY,
  patterns TEXT NOT NULL,   -- JSON, an array of absolute paths; []: it was uploaded
  every INTEGER NOT NULL,   -- milliseconds until it is loaded again; 0: not by time
  watch INTEGER NOT NULL,   -- 1: loaded again when its files have changed
  created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
};

Result<int> version_of(Database& database) {
  int version = 0;
  auto read = database.query("PRAGMA user_version",
                             [&](const Row& row) { version = static_cast<int>(row.integer(0)); });
  if (!read) return propagate(read);
  return version;
}

}  // namespace

int schema_version() { return static_cast<int>(kMigrations.size()); }

Result<void> migrate(Database& database) { return migrate(database, kMigrations); }

Result<void> migrate(Database& database, std::span<const char* const> migrations) {
  auto version = version_of(database);
  if (!version) return propagate(version);
  const int newest = static_cast<int>(migrations.size());
  if (*version > newest) {
    return fail(StoreErrc::newer_schema, "the data folder was written by a newer Mayfly (schema " +
                                             std::to_string(*version) + ", this one knows " +
                                             std::to_string(newest) + ")");
  }
  for (int step = *version; step < newest; ++step) {
    auto done = database.transaction([&]() -> Result<void> {
      if (auto made = database.script(migrations[static_cast<std::size_t>(step)]); !made) return made;
      const auto stamp = "PRAGMA user_version = " + std::to_string(step + 1);  // pragmas take no parameters
      return database.script(stamp.c_str());
    });
    if (!done) return done;
  }
  return {};
}

}  // namespace mayfly::store
