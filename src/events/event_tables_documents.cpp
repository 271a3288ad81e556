// EventTables: documents, and the decisions that are made with them.
#include "events/event_tables.h"

namespace mayfly::events {
namespace {

/// Behind all keys that begin like this: no UTF-8 has such a byte.
std::string end_of(const std::string& prefix) { return prefix + '\xff'; }

}  // namespace

class EventTables::DecisionTransaction final : public Transaction {
 public:
  explicit DecisionTransaction(EventTables& tables) : tables_(tables) {}

  Result<std::optional<std::string>> get(const std::string& key) override {
    std::optional<std::string> value;
    auto read = tables_.database_.query(
        "SELECT value FROM documents WHERE key = ?", [&](const store::Row& row) { value = row.blob(0); },
        key);
    if (!read) return propagate(read);
    return value;
  }
  Result<std::vector<Document>> list(const DocumentQuery& query) override { return tables_.documents(query); }
  Result<void> put(const std::string& key, const std::string& value) override {
    return tables_.database_.run(
        "INSERT INTO documents VALUES (?, NULL, ?) "
        "ON CONFLICT(key) DO UPDATE SET expires = NULL, value = excluded.value",
        key, store::Blob{value});
  }
  Result<void> remove(const std::string& key) override {
    return tables_.database_.run("DELETE FROM documents WHERE key = ?", key);
  }
  Result<void> expire(const std::string& prefix, WallTime when) override {
    std::optional<std::int64_t> expires;
    if (when != WallTime::max()) expires = to_millis(when);
    return tables_.database_.run("UPDATE documents SET expires = ? WHERE key >= ? AND key < ?", expires,
                                 prefix, end_of(prefix));
  }
  Result<StreamId> stream(const std::string& name) override {
    auto info = tables_.open_stream(name);
    if (!info) return propagate(info);
    return info->id;
  }
  Result<Accepted> append(NewEvent given) override {
    auto event = std::make_shared<Event>();
    static_cast<NewEvent&>(*event) = std::move(given);
    auto accepted = tables_.append({&event, 1});
    if (!accepted) return propagate(accepted);
    auto& one = accepted->front();
    if (!one.known) appended.push_back(one.event);
    return std::move(one);
  }
  [[nodiscard]] WallTime now() const override { return tables_.now(); }

  std::vector<EventPtr> appended;

 private:
  EventTables& tables_;
};

Result<std::vector<EventPtr>> EventTables::decide(const Decision& decision) {
  DecisionTransaction transaction(*this);
  auto decided = decision(transaction);
  if (!decided) return propagate(decided);
  return std::move(transaction.appended);
}

Result<void> EventTables::look(const Look& look) {
  DecisionTransaction transaction(*this);
  return look(transaction);
}

Result<std::vector<Document>> EventTables::documents(const DocumentQuery& query) {
  std::vector<Document> found;
  const auto end = query.before.empty() ? end_of(query.prefix) : query.before;
  auto read = database_.query(
      query.newest_first
          ? "SELECT key, value FROM documents WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?"
          : "SELECT key, value FROM documents WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
      [&](const store::Row& row) { found.push_back({row.text(0), row.blob(1)}); }, query.prefix, end,
      query.limit);
  if (!read) return propagate(read);
  return found;
}

Result<std::size_t> EventTables::expire_documents(WallTime now, std::size_t limit) {
  std::vector<std::string> found;
  auto read = database_.query(
      "SELECT key FROM documents WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?",
      [&](const store::Row& row) { found.push_back(row.text(0)); }, to_millis(now), limit);
  if (!read) return propagate(read);
  for (const auto& key : found)
    if (auto removed = database_.run("DELETE FROM documents WHERE key = ?", key); !removed)
      return propagate(removed);
  return found.size();
}

}  // namespace mayfly::events
