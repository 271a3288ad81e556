#include "meter/usage_tables.h"

#include <algorithm>
#include <utility>

#include "store/schema.h"

namespace mayfly::meter {
namespace {

using store::Row;

/// Migrations that were released are never edited: add another.
constexpr std::array kMigrations = {
    R"sql(
CREATE TABLE sums (
  resolution INTEGER NOT NULL,  -- 0 minute, 1 hour, 2 day
  start INTEGER NOT NULL,       -- milliseconds since 1970
  function TEXT NOT NULL,
  version INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  class INTEGER NOT NULL,       -- 0 interactive, 1 background
  invocations INTEGER NOT NULL, answered INTEGER NOT NULL, failed INTEGER NOT NULL,
  timed_out INTEGER NOT NULL, cancelled INTEGER NOT NULL, rejected INTEGER NOT NULL,
  retries INTEGER NOT NULL, shared INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
  waiting_ns INTEGER NOT NULL, init_ns INTEGER NOT NULL, cpu_ns INTEGER NOT NULL,
  memory_kib_ms INTEGER NOT NULL, reserved_kib_ms INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL, starts INTEGER NOT NULL, instance_ns INTEGER NOT NULL,
  busy_ns INTEGER NOT NULL, init_cpu_ns INTEGER NOT NULL, idle_cpu_ns INTEGER NOT NULL,
  peak INTEGER NOT NULL,
  PRIMARY KEY (resolution, start, function, version, tenant, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of writing, never used again
  invocation TEXT NOT NULL,
  function TEXT NOT NULL,
  version INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  class INTEGER NOT NULL,
  started INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  shared INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL, waiting_ns INTEGER NOT NULL, init_ns INTEGER NOT NULL,
  cpu_ns INTEGER NOT NULL, memory_kib_ms INTEGER NOT NULL, reserved_kib_ms INTEGER NOT NULL,
  bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL
) STRICT;
CREATE INDEX records_of_function ON records(function, id);
)sql",
};

constexpr std::array kAllResolutions{Resolution::minute, Resolution::hour, Resolution::day};

/// Figures that a record and a row of `records` have, in this order.
constexpr std::array kRecordFigures{&UsageRecord::wall_ns,       &UsageRecord::waiting_ns,
                                    &UsageRecord::init_ns,       &UsageRecord::cpu_ns,
                                    &UsageRecord::memory_kib_ms, &UsageRecord::reserved_kib_ms,
                                    &UsageRecord::bytes_in,      &UsageRecord::bytes_out};

/// The start of the stretch that a time is in; of one before 1970 the first.
std::int64_t start_of(std::int64_t time_ms, Resolution resolution) {
  const auto length = length_of(resolution).count();
  return std::max<std::int64_t>(time_ms, 0) / length * length;
}

/// What SQLite can keep: a sum that grew beyond it stays at the most.
std::int64_t kept(std::uint64_t figure) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(figure, INT64_MAX));
}
std::uint64_t figure_of(const Row& row, int column) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(row.integer(column), 0));
}

std::string upsert() {
  std::string columns = "resolution, start, function, version, tenant, class";
  std::string values = "?, ?, ?, ?, ?, ?";
  std::string updates;
  for (const auto& field : kUsageFields) {
    const std::string name(field.name);
    columns += ", " + name;
    values += ", ?";
    // min(): what would be too large for an integer becomes a floating-point number, and is refused.
    updates += (updates.empty() ? "" : ", ") + name + " = " +
               (field.is_maximum ? "max(" + name + ", excluded." + name + ")"
                                 : "min(" + name + " + excluded." + name + ", 9223372036854775807)");
  }
  return "INSERT INTO sums (" + columns + ") VALUES (" + values + ") ON CONFLICT DO UPDATE SET " + updates;
}

template <std::size_t... I>
Result<void> run_upsert(store::Database& database, const std::string& sql, int resolution, std::int64_t start,
                        const UsageBatch::Sum& sum, std::index_sequence<I...>) {
  return database.run(sql, resolution, start, sum.key.function, sum.key.version, sum.key.tenant,
                      static_cast<int>(sum.key.invocation_class), kept(sum.usage.*kUsageFields[I].member)...);
}

/// A column of the key: as it is where rows are kept apart by it.
std::string key_column(bool apart, const char* name, const char* otherwise) {
  return apart ? name : std::string(otherwise) + " AS " + name;
}

std::string select(const UsageQuery& query) {
  std::string sql =
      "SELECT min(start) AS first, max(start), " + key_column(query.by_function, "function", "''") + ", " +
      key_column(query.by_version, "version", "0") + ", " + key_column(query.by_tenant, "tenant", "''") +
      ", " + key_column(query.by_class, "class", "0");
  for (const auto& field : kUsageFields) {
    const std::string name(field.name);
    // total() does not overflow as sum() does: what is too large comes as a floating-point number.
    sql += field.is_maximum ? ", max(" + name + ")" : ", CAST(total(" + name + ") AS INTEGER)";
  }
  sql +=
      " FROM sums WHERE resolution = ? AND start >= ? AND start < ?"
      " AND (? = '' OR function = ?) AND (? OR tenant = ?) AND (? OR class = ?)";
  std::string groups;
  const auto group = [&](bool apart, const char* name) {
    if (apart) groups += (groups.empty() ? "" : ", ") + std::string(name);
  };
  group(query.by_time, "start");
  group(query.by_function, "function");
  group(query.by_version, "version");
  group(query.by_tenant, "tenant");
  group(query.by_class, "class");
  // Without groups there would be a row even when nothing is there.
  sql += groups.empty() ? " HAVING count(*) > 0" : " GROUP BY " + groups;
  return sql + " ORDER BY " + (query.by_time ? "start, " : "") + "3, 4, 5, 6";
}

}  // namespace

milliseconds length_of(Resolution resolution) {
  using namespace std::chrono;
  constexpr std::array<milliseconds, 3> kLengths{minutes(1), hours(1), days(1)};
  return kLengths.at(static_cast<std::size_t>(resolution));
}

milliseconds retention_of(Resolution resolution) {
  using std::chrono::days;
  constexpr std::array<milliseconds, 3> kRetention{days(3), days(62), days(5 * 366)};
  return kRetention.at(static_cast<std::size_t>(resolution));
}

UsageTables::UsageTables(store::Database database) : database_(std::move(database)), upsert_(upsert()) {}

Result<UsageTables> UsageTables::open(const std::filesystem::path& file, const std::string& vfs) {
  store::Database::Options options;
  options.vfs = vfs;
  auto database = store::Database::open(file, options);
  if (!database) return propagate(database);
  if (auto set = database->script("PRAGMA synchronous = NORMAL"); !set) return propagate(set);
  if (auto done = store::migrate(*database, kMigrations); !done) return propagate(done);
  return UsageTables(std::move(*database));
}

Result<void> UsageTables::add_sum(std::int64_t began_ms, const UsageBatch::Sum& sum) {
  for (const auto resolution : kAllResolutions) {
    auto done = run_upsert(database_, upsert_, static_cast<int>(resolution), start_of(began_ms, resolution),
                           sum, std::make_index_sequence<kUsageFields.size()>());
    if (!done) return done;
  }
  return {};
}

Result<void> UsageTables::add_record(const UsageBatch::Single& single) {
  const auto& [key, record] = single;
  return database_.run(
      "INSERT INTO records (invocation, function, version, tenant, class, started, outcome, attempt, shared, "
      "wall_ns, waiting_ns, init_ns, cpu_ns, memory_kib_ms, reserved_kib_ms, bytes_in, bytes_out) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      std::string_view(record.invocation.data(), record.invocation.size()), key.function, key.version,
      key.tenant, static_cast<int>(key.invocation_class), record.started_ms, static_cast<int>(record.outcome),
      record.attempt, static_cast<int>(record.shared), kept(record.wall_ns), kept(record.waiting_ns),
      kept(record.init_ns), kept(record.cpu_ns), kept(record.memory_kib_ms), kept(record.reserved_kib_ms),
      kept(record.bytes_in), kept(record.bytes_out));
}

Result<void> UsageTables::add(std::span<const UsageBatch> batches) {
  return database_.transaction([&]() -> Result<void> {
    bool has_records = false;
    for (const auto& batch : batches) {
      for (const auto& sum : batch.sums)
        if (auto done = add_sum(batch.began_ms, sum); !done) return done;
      for (const auto& single : batch.singles)
        if (auto done = add_record(single); !done) return done;
      has_records = has_records || !batch.singles.empty();
    }
    if (!has_records) return {};
    return database_.run("DELETE FROM records WHERE id <= (SELECT max(id) FROM records) - ?", kMostRecords);
  });
}

Result<std::vector<UsageRow>> UsageTables::sums(const UsageQuery& query) {
  std::vector<UsageRow> rows;
  const auto take = [&](const Row& row) {
    UsageRow one;
    one.start_ms = row.integer(0);
    one.last_ms = row.integer(1);
    one.key = {row.text(2), static_cast<std::uint32_t>(row.integer(3)), row.text(4),
               row.integer(5) == 1 ? InvocationClass::background : InvocationClass::interactive};
    int column = 6;
    for (const auto& field : kUsageFields) one.usage.*field.member = figure_of(row, column++);
    rows.push_back(std::move(one));
  };
  const auto which = query.invocation_class.value_or(InvocationClass::interactive);
  auto done = database_.query(select(query), take, static_cast<int>(query.resolution), query.from_ms,
                              query.to_ms, query.function, query.function, static_cast<int>(!query.tenant),
                              query.tenant.value_or(""), static_cast<int>(!query.invocation_class),
                              static_cast<int>(which));
  if (!done) return propagate(done);
  return rows;
}

Result<std::vector<UsageBatch::Single>> UsageTables::records(const RecordQuery& query) {
  std::vector<UsageBatch::Single> found;
  const auto take = [&](const Row& row) {
    UsageBatch::Single one;
    const auto id = row.text(0);
    std::copy_n(id.begin(), std::min(id.size(), one.record.invocation.size()), one.record.invocation.begin());
    one.key = {row.text(1), static_cast<std::uint32_t>(row.integer(2)), row.text(3),
               row.integer(4) == 1 ? InvocationClass::background : InvocationClass::interactive};
    one.record.started_ms = row.integer(5);
    one.record.outcome = static_cast<Outcome>(std::clamp<std::int64_t>(row.integer(6), 0, 4));
    one.record.attempt = static_cast<std::uint32_t>(row.integer(7));
    one.record.shared = row.integer(8) != 0;
    int column = 9;
    for (const auto figure : kRecordFigures) one.record.*figure = figure_of(row, column++);
    found.push_back(std::move(one));
  };
  constexpr const char* kColumns =
      "SELECT invocation, function, version, tenant, class, started, outcome, attempt, shared, wall_ns, "
      "waiting_ns, init_ns, cpu_ns, memory_kib_ms, reserved_kib_ms, bytes_in, bytes_out FROM records ";
  auto done = query.function.empty()
                  ? database_.query(std::string(kColumns) + "ORDER BY id DESC LIMIT ?", take, query.most)
                  : database_.query(std::string(kColumns) + "WHERE function = ? ORDER BY id DESC LIMIT ?",
                                    take, query.function, query.most);
  if (!done) return propagate(done);
  return found;
}

Result<void> UsageTables::expire(std::int64_t now_ms) {
  for (const auto resolution : kAllResolutions) {
    auto done = database_.run("DELETE FROM sums WHERE resolution = ? AND start < ?",
                              static_cast<int>(resolution), now_ms - retention_of(resolution).count());
    if (!done) return done;
  }
  return {};
}

}  // namespace mayfly::meter
