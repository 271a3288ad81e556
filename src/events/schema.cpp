#include "events/schema.h"

#include <array>

namespace mayfly::events {
namespace {

constexpr std::array kMigrations = {
    // Times are milliseconds since the epoch. Numbers of streams, queues and positions are never used again:
    // they are parts of ids that people keep.
    R"sql(
CREATE TABLE streams (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 1048576),
  name TEXT NOT NULL UNIQUE,
  open INTEGER NOT NULL DEFAULT 0,   -- everybody may publish to it
  newest INTEGER NOT NULL DEFAULT 0  -- written when events are removed; those that are kept tell of later ones
) STRICT;

CREATE TABLE queues (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 1048576),
  name TEXT UNIQUE,                  -- NULL: dropped, and its deliveries are being removed
  stream INTEGER NOT NULL REFERENCES streams(id),
  cursor INTEGER NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  -- How many deliveries have a row, by state.
  queued INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  succeeded INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX queues_by_stream ON queues(stream);

-- No other index: a publish is to write as few pages as possible. The body is last: who does not read it does not
-- touch its pages.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,            -- stream << 36 | position
  code INTEGER NOT NULL,             -- the random bits of the event's id
  accepted INTEGER NOT NULL,
  form INTEGER NOT NULL,
  not_before INTEGER,
  method TEXT NOT NULL,
  target TEXT NOT NULL,
  part TEXT NOT NULL,                -- partition
  key TEXT NOT NULL,                 -- Idempotency-Key
  callback TEXT NOT NULL,
  fields BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE idempotency (
  stream INTEGER NOT NULL,
  key TEXT NOT NULL,
  digest BLOB NOT NULL,
  position INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (stream, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_expiry ON idempotency(expires);

CREATE TABLE marks (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A delivery has a row from its first attempt's end on, or from when somebody decided about it.
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,            -- queue << 36 | position
  queue INTEGER GENERATED ALWAYS AS (id >> 36) VIRTUAL,
  code INTEGER NOT NULL,             -- its event's: the row may outlive it
  state INTEGER NOT NULL CHECK (state IN (1, 3, 4, 5, 6)),
  attempts INTEGER NOT NULL,
  since INTEGER NOT NULL,            -- its age counts from then
  not_before INTEGER NOT NULL,
  finished INTEGER,
  expires INTEGER,
  part TEXT NOT NULL,
  status INTEGER,                    -- NULL: no answer
  headers BLOB,
  body BLOB
) STRICT;
CREATE INDEX deliveries_by_state ON deliveries(queue, state);
CREATE INDEX deliveries_due ON deliveries(queue, not_before) WHERE state IN (1, 3);
CREATE INDEX deliveries_by_expiry ON deliveries(expires) WHERE expires IS NOT NULL;

CREATE TABLE attempts (
  delivery INTEGER NOT NULL,
  number INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  version TEXT NOT NULL,
  type TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;
)sql",
    // Of what consists of several deliveries.
    R"sql(
CREATE TABLE documents (
  key TEXT PRIMARY KEY,
  expires INTEGER,                   -- NULL: it does not
  value BLOB NOT NULL
) STRICT;
CREATE INDEX documents_by_expiry ON documents(expires) WHERE expires IS NOT NULL;
)sql",
};

}  // namespace

std::span<const char* const> migrations() { return kMigrations; }

}  // namespace mayfly::events
