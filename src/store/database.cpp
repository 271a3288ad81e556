#include "store/database.h"

#include <sqlite3.h>

namespace mayfly::store {
namespace {

StoreErrc errc_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {  // the upper bits refine the primary code
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StoreErrc::busy;
    case SQLITE_FULL:
      return StoreErrc::full;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return StoreErrc::io;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StoreErrc::corrupt;
    case SQLITE_CONSTRAINT:
      return StoreErrc::constraint;
    default:
      return StoreErrc::failed;
  }
}

/// Leaves a cached statement as new: no locks held, no bound text that dangles.
class Reset {
 public:
  explicit Reset(sqlite3_stmt* statement) : statement_(statement) {}
  ~Reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

std::error_code make_error_code(StoreErrc code) {
  static const SlugCategory<StoreErrc, 7> category(
      "store", {"busy", "full", "io", "corrupt", "constraint", "newer-schema", "failed"});
  return {static_cast<int>(code), category};
}

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Row::text(int column) const {
  const auto* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string Row::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

bool Row::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

/// When a database is assigned to, its statements are finalized only after this: v2 waits for them.
void Database::Close::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

Result<Database> Database::open(const std::filesystem::path& file) { return open(file, Options{}); }

Result<Database> Database::open(const std::filesystem::path& file, const Options& options) {
  sqlite3* raw = nullptr;
  const char* vfs = options.vfs.empty() ? nullptr : options.vfs.c_str();
  // NOMUTEX: one thread owns the connection.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &raw, flags, vfs);
  Database database(raw);  // even a failed open leaves something to close
  if (code != SQLITE_OK) return database.error("open " + file.string());
  sqlite3_busy_timeout(raw, options.busy_timeout_ms);
  auto set_up = database.script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
      "PRAGMA trusted_schema = OFF;");
  if (!set_up) return std::unexpected(std::move(set_up.error()).with("file", file.string()));
  return database;
}

std::unexpected<Error> Database::error(std::string_view doing) const {
  const int code = db_ ? sqlite3_extended_errcode(db_.get()) : SQLITE_NOMEM;
  const char* text = db_ ? sqlite3_errmsg(db_.get()) : "out of memory";
  return fail(errc_of(code), std::string(doing) + ": " + text);
}

Result<void> Database::script(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error("store");
  return {};
}

Result<sqlite3_stmt*> Database::prepared(std::string_view sql) {
  if (auto found = statements_.find(sql); found != statements_.end()) return found->second.get();
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return error("prepare '" + std::string(sql) + "'");
  return statements_.emplace(std::string(sql), StatementPtr(raw)).first->second.get();
}

namespace {

// SQLITE_STATIC: the text outlives the call, and Reset forgets it.
int bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
int bind_blob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  return sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

}  // namespace

int Database::bind(sqlite3_stmt* statement, int index, const Value& value) {
  switch (value.kind_) {
    case Value::Kind::integer:
      return sqlite3_bind_int64(statement, index, value.integer_);
    case Value::Kind::text:
      return bind_text(statement, index, value.text_);
    case Value::Kind::blob:
      return bind_blob(statement, index, value.text_);
    case Value::Kind::null:
      break;
  }
  return sqlite3_bind_null(statement, index);
}

Result<void> Database::execute(std::string_view sql, const std::function<void(const Row&)>& on_row,
                               const Value* values, std::size_t count) {
  auto statement = prepared(sql);
  if (!statement) return propagate(statement);
  const Reset reset(*statement);
  for (std::size_t i = 0; i < count; ++i) {
    const int index = static_cast<int>(i) + 1;
    const int code = bind(*statement, index, values[i]);
    if (code != SQLITE_OK) return error("bind to '" + std::string(sql) + "'");
  }
  for (;;) {
    const int code = sqlite3_step(*statement);
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return error("store");
    if (on_row) on_row(Row(*statement));
  }
}

Result<void> Database::transaction(const std::function<Result<void>()>& work) {
  // IMMEDIATE: the write lock is taken now, so a later statement cannot find the file changed meanwhile.
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  const auto roll_back = [this] {
    // A grave error (disk full, i/o) has rolled back by itself.
    if (sqlite3_get_autocommit(db_.get()) == 0) (void)run("ROLLBACK");
  };
  Result<void> done;
  try {
    done = work();
  } catch (...) {
    roll_back();
    throw;
  }
  if (done) done = run("COMMIT");
  if (!done) roll_back();
  return done;
}

}  // namespace mayfly::store
