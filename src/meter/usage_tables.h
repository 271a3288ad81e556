// The tables of DIR/usage.db: sums by minute, hour and day, and the newest single records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meter/usage.h"
#include "store/database.h"

namespace mayfly::meter {

/// How long the stretches are for which sums are kept.
enum class Resolution : std::uint8_t { minute, hour, day };
inline constexpr std::array<std::string_view, 3> kResolutions{"minute", "hour", "day"};
[[nodiscard]] milliseconds length_of(Resolution resolution);
/// For so long, the newest minutes, hours, days.
[[nodiscard]] milliseconds retention_of(Resolution resolution);
/// Single records that are kept.
inline constexpr std::int64_t kMostRecords = 100'000;

/// Which sums, and what they are summed over.
struct UsageQuery {
  Resolution resolution = Resolution::hour;
  std::int64_t from_ms = 0;        ///< since 1970; stretches that begin at or after it …
  std::int64_t to_ms = INT64_MAX;  ///< … and before this
  std::string function{};          ///< "": all
  std::optional<std::string> tenant{};
  std::optional<InvocationClass> invocation_class{};
  // Kept apart by; what is not is added up, and "" or 0 in the rows.
  bool by_time = false;
  bool by_function = true;
  bool by_version = false;
  bool by_tenant = false;
  bool by_class = false;
};

/// An answer's row.
struct UsageRow {
  std::int64_t start_ms = 0;  ///< of its stretch; not by_time: of the first that has something
  std::int64_t last_ms = 0;   ///< likewise of the last one
  UsageKey key;
  Usage usage;
};

struct RecordQuery {
  std::string function{};  ///< "": all
  std::size_t most = 100;  ///< of the newest
};

/// Used by one thread.
class UsageTables {
 public:
  /// Opens or makes the file. Commits are not synced one by one (`synchronous=NORMAL`): a power cut may lose
  /// the last ones, the end of this process does not.
  [[nodiscard]] static Result<UsageTables> open(const std::filesystem::path& file,
                                                const std::string& vfs = {});

  /// All of them in one transaction, or nothing.
  [[nodiscard]] Result<void> add(std::span<const UsageBatch> batches);
  /// Rows in the order of time, then by the key.
  [[nodiscard]] Result<std::vector<UsageRow>> sums(const UsageQuery& query);
  /// The newest first.
  [[nodiscard]] Result<std::vector<UsageBatch::Single>> records(const RecordQuery& query);
  /// Removes what is older than it is kept for, as seen from `now_ms`.
  [[nodiscard]] Result<void> expire(std::int64_t now_ms);

 private:
  explicit UsageTables(store::Database database);
  [[nodiscard]] Result<void> add_sum(std::int64_t began_ms, const UsageBatch::Sum& sum);
  [[nodiscard]] Result<void> add_record(const UsageBatch::Single& single);

  store::Database database_;
  std::string upsert_;
};

}  // namespace mayfly::meter
