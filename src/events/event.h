// What is kept of an event and of its deliveries. Plain data, used by every part of this module.
//
// An event lies in a *stream*: a topic, or the asynchronous invocations of one function. A *queue* delivers
// the events of a stream to one function; a topic has one for each subscription, a function's own stream just
// one. A *delivery* is one event in one queue. What follows an accepted event is told by its deliveries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mayfly::events {

using StreamId = std::uint32_t;  ///< 1 … 2^20 - 1
using QueueId = std::uint32_t;   ///< 1 … 2^20 - 1
using Position = std::uint64_t;  ///< in a stream: 1 … 2^36 - 1, in the order of acceptance; never used again

/// What a delivery hands to its function.
enum class Form {
  request = 1,   ///< an HTTP request, as it came
  payload = 2,   ///< a payload: what `mayfly invoke` sends
  event = 3,     ///< an event with the attributes of CloudEvents
  schedule = 4,  ///< a schedule's time has come
  callback = 5,  ///< the result of another delivery, for a URL
  step = 6,      ///< a step of a pipeline's run, or (without a target) a timer of one
};

/// A number that is kept under a name and only ever grows: how far something has got.
struct Mark {
  std::string name{};
  std::int64_t value = 0;
  /// One that is beyond this was written when the clock was wrong: it does not count, and is replaced.
  std::int64_t latest = INT64_MAX;
};

/// What is to be accepted.
struct NewEvent {
  StreamId stream = 0;
  Form form = Form::event;
  std::string method{};  ///< of a request
  std::string target{};  ///< of a request: path and query; of a callback: the URL; of a step: function
  std::string fields{};  ///< "name\0value\0…": the headers of a request, the attributes of an event
  std::string body{};
  std::string partition{};  ///< events with the same one are delivered one after another; "": in any order
  std::optional<WallTime> not_before{};  ///< is not delivered earlier
  std::string idempotency_key{};         ///< "": none
  std::string callback{};                ///< URL that the result goes to; "": none
  /// Written down together with the event. Has the mark this value or a higher one already, the event is not
  /// accepted a second time.
  std::optional<Mark> mark{};
};

/// One that was accepted: never changed.
struct Event : NewEvent {
  Position position = 0;
  std::uint64_t check = 0;  ///< 52 random bits that make its id one that cannot be guessed
  WallTime accepted{};
};
using EventPtr = std::shared_ptr<const Event>;

/// What was accepted. `known`: nothing new. Either the idempotency key had been used with the same payload,
/// and this is the event that was accepted then; or the mark was there already, and the event is null.
struct Accepted {
  EventPtr event;
  bool known = false;
};

/// How people and programs name a delivery (and its invocation): 32 hexadecimal digits, of which 14 are
/// stream and position, 5 the queue and 13 the event's check. Those of an event itself have queue 0.
struct DeliveryId {
  StreamId stream = 0;
  Position position = 0;
  QueueId queue = 0;
  std::uint64_t check = 0;
  bool operator==(const DeliveryId&) const = default;
};
[[nodiscard]] std::string to_text(const DeliveryId& id);
/// Nothing: it is not 32 hexadecimal digits in lower case. That there is such a delivery it does not say.
[[nodiscard]] std::optional<DeliveryId> parse_delivery_id(std::string_view text);

enum class State {
  queued = 1,  ///< waits for its first attempt
  running,     ///< is being attempted; known to the queue alone, never stored
  failed,      ///< its last attempt failed; another one follows
  succeeded,   ///< final
  dead,        ///< final: given up; kept as a dead letter
  cancelled,   ///< final
};
[[nodiscard]] std::string_view name_of(State state);
[[nodiscard]] std::optional<State> state_of(std::string_view name);
[[nodiscard]] constexpr bool is_final(State state) { return state >= State::succeeded; }

/// One attempt that has ended.
struct Attempt {
  int number = 1;
  WallTime started{};
  WallTime ended{};
  std::string version{};  ///< "hello@3"; "": none was reached
  std::string
      type{};  ///< "" if it succeeded; else as in problem documents ("pool:handler-threw"), or "status"
  std::string message{};
};

/// What a function answered; kept for a time.
struct Answer {
  unsigned status = 0;
  std::string headers{};  ///< "name\0value\0…"
  std::string body{};
};

class Transaction;
/// Work inside the store: see transaction.h.
using Decision = std::function<Result<void>(Transaction&)>;

/// What has become of a delivery.
struct Outcome {
  QueueId queue = 0;
  StreamId stream = 0;
  Position position = 0;
  State state = State::queued;       ///< any but running
  int attempts = 0;                  ///< so far
  WallTime since{};                  ///< its age counts from then: its acceptance, or when it was begun again
  WallTime not_before{};             ///< of the next one, if it is not final
  std::optional<Attempt> attempt{};  ///< that has just ended
  std::optional<Answer> answer{};    ///< of the last attempt
  WallTime at{};                     ///< now
  WallTime expires{};                ///< (final) from when nobody needs to know any more
  Decision decision{};               ///< run together with this; what it refuses is only logged
};

/// A delivery that is not done and of which more is known than that its event was accepted.
struct OpenDelivery {
  Position position = 0;
  State state = State::queued;
  int attempts = 0;
  WallTime since{};  ///< see Outcome
  WallTime not_before{};
  std::string partition{};
  EventPtr event{};   ///< null: is not kept any more
  bool more = false;  ///< there are others behind it, for which the limit left no room
};

/// All that is kept of one delivery.
struct DeliveryRecord {
  EventPtr event;  ///< null: is not kept any more
  DeliveryId id;
  State state = State::queued;
  int attempts = 0;
  WallTime since{};  ///< see Outcome
  WallTime not_before{};
  std::optional<WallTime> finished{};
  std::vector<Attempt> history{};
  std::optional<Answer> answer{};
};

}  // namespace mayfly::events
