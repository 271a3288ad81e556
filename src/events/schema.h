// The tables of DIR/events.db.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "events/event.h"

namespace mayfly::events {

/// For store::migrate(). One that has been released is never edited: append another.
[[nodiscard]] std::span<const char* const> migrations();

// Events and deliveries lie in b-trees by one number each: stream or queue above, position below. So what is
// appended to a stream goes to one end of its keys, and touches as few pages as possible.

inline constexpr unsigned kPositionBits = 36;
inline constexpr Position kNewestPosition = (Position{1} << kPositionBits) - 1;
inline constexpr std::uint32_t kNewestId = (1U << 20U) - 1;  ///< of a stream or a queue

/// `owner`: a stream, or a queue.
[[nodiscard]] constexpr std::int64_t key_of(std::uint32_t owner, Position position) {
  return static_cast<std::int64_t>(Position{owner} << kPositionBits | std::min(position, kNewestPosition));
}
[[nodiscard]] constexpr std::uint32_t owner_in(std::int64_t key) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(key) >> kPositionBits);
}
[[nodiscard]] constexpr Position position_in(std::int64_t key) {
  return static_cast<Position>(key) & kNewestPosition;
}

}  // namespace mayfly::events
