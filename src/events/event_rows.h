// Between rows of events.db and what they mean; used by the files of EventTables alone.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "events/event.h"
#include "events/schema.h"
#include "store/database.h"

namespace mayfly::events {

[[nodiscard]] inline WallTime time_of(std::int64_t millis) { return WallTime(milliseconds(millis)); }

/// What event_of() reads, in order. The body is NULL for those who do not want it.
inline constexpr std::string_view kEventColumns =
    "id, code, accepted, form, not_before, method, target, part, key, callback, fields";

[[nodiscard]] inline std::shared_ptr<Event> event_of(const store::Row& row) {
  auto event = std::make_shared<Event>();
  event->stream = owner_in(row.integer(0));
  event->position = position_in(row.integer(0));
  event->check = static_cast<std::uint64_t>(row.integer(1));
  event->accepted = time_of(row.integer(2));
  event->form = static_cast<Form>(row.integer(3));
  if (!row.is_null(4)) event->not_before = time_of(row.integer(4));
  event->method = row.text(5);
  event->target = row.text(6);
  event->partition = row.text(7);
  event->idempotency_key = row.text(8);
  event->callback = row.text(9);
  event->fields = row.blob(10);
  event->body = row.blob(11);
  return event;
}

}  // namespace mayfly::events
