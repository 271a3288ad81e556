// What paths lead to in a run: its documents, read when they are needed and once.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "events/transaction.h"
#include "pipelines/keys.h"
#include "pipelines/path.h"
#include "pipelines/run.h"

namespace mayfly::pipelines {

/// For the time of one decision. Errors are the transaction's.
class RunValues {
 public:
  RunValues(events::Transaction& transaction, const RunId& run, const Head& head);
  ~RunValues();
  RunValues(const RunValues&) = delete;
  RunValues& operator=(const RunValues&) = delete;

  /// From now on paths lead to this element of a fan-out (JSON text).
  void set_item(std::string text, std::size_t index);

  /// JSON text; nothing: the path leads nowhere. A document as a whole is as it was written.
  [[nodiscard]] Result<std::optional<std::string>> text_at(const Path& path);
  /// Null: nowhere. Good until the next call of a member that is not const.
  [[nodiscard]] Result<const nlohmann::json*> find(const Path& path);
  /// What the step before gave: the run's input, if there was none that gave something.
  [[nodiscard]] Result<std::string> previous();

 private:
  struct Document;
  struct Place {
    Document* document;
    std::size_t from;  ///< the path's first segment inside of it
  };

  Result<Place> place_of(const Path& path);
  Result<Document*> stored(const std::string& key);
  Document* own(const std::string& name, std::string text);
  [[nodiscard]] std::optional<std::size_t> latest_output(std::string_view step) const;

  events::Transaction& transaction_;
  const RunId& run_;
  const Head& head_;
  std::map<std::string, std::unique_ptr<Document>> documents_;  ///< by key, or the name of a root
};

}  // namespace mayfly::pipelines
