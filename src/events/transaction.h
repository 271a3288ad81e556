// Decisions: work inside the store, in one transaction with what they follow from. Where several deliveries
// belong to one thing (a pipeline's run), what has become of it so far is in *documents*: values under keys.
// A decision reads them, changes them and has further events accepted; all of it is durable together with the
// outcome that it was made for, or not at all.
//
// A decision runs on the store's thread, more than once if its first transaction failed: what it does depends
// on the transaction alone. It must not wait, nor take longer than some milliseconds. It passes an error of
// the transaction on. An error of its own (EventsErrc) refuses, and nothing may have been written before.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/event.h"

namespace mayfly::events {

/// A document and its key. Keys are UTF-8 and compared by bytes; by convention parts separated by '/'.
struct Document {
  std::string key;
  std::string value;
  bool operator==(const Document&) const = default;
};

/// Which documents are read: those whose keys begin like this, in the order of keys.
struct DocumentQuery {
  std::string prefix;
  std::string before{};       ///< only lesser keys, or all if empty; to page
  bool newest_first = false;  ///< the greatest keys first
  std::size_t limit = 100;    ///< 1 … 100,000
};

/// What can be read at once, as it stands at one moment. Valid during a call alone, on the store's thread.
class Reader {
 public:
  virtual ~Reader() = default;
  /// Nothing: there is none.
  [[nodiscard]] virtual Result<std::optional<std::string>> get(const std::string& key) = 0;
  [[nodiscard]] virtual Result<std::vector<Document>> list(const DocumentQuery& query) = 0;
};

/// Reads several documents together, and writes nothing. As a decision: it runs on the store's thread, does
/// not wait, and may refuse.
using Look = std::function<Result<void>(Reader&)>;

/// What a decision has at hand.
class Transaction : public Reader {
 public:
  /// A document that was there is replaced. It is kept until it is removed, or expires.
  [[nodiscard]] virtual Result<void> put(const std::string& key, const std::string& value) = 0;
  [[nodiscard]] virtual Result<void> remove(const std::string& key) = 0;
  /// From `when` on nobody needs to know any more what is under the keys that begin like this;
  /// WallTime::max(): it is kept again.
  [[nodiscard]] virtual Result<void> expire(const std::string& prefix, WallTime when) = 0;
  /// The stream of this name; it is made if it is not there.
  [[nodiscard]] virtual Result<StreamId> stream(const std::string& name) = 0;
  /// Has an event accepted, and gives it with its position, check and time.
  [[nodiscard]] virtual Result<Accepted> append(NewEvent event) = 0;
  /// Now.
  [[nodiscard]] virtual WallTime now() const = 0;
};

}  // namespace mayfly::events
