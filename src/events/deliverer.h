// What a queue needs of the rest of the platform: somebody who hands events to a function and says how it
// went.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "events/event.h"

namespace mayfly::events {

/// One attempt to deliver: one event, or several in a batch.
struct Task {
  struct Item {
    EventPtr event;
    DeliveryId id;
    int attempt = 1;
  };
  std::string queue;     ///< its name
  std::string function;  ///< "hello"
  std::vector<Item> items;
  bool as_requests = false;  ///< see Policy
};

/// How it went for one of the events.
struct Verdict {
  enum class Kind {
    succeeded,
    failed,     ///< counts as an attempt
    not_tried,  ///< the function could not take it now: does not count, and the queue holds on for a moment
    hopeless,   ///< failed, and no other attempt can help
  };
  Kind kind = Kind::succeeded;
  std::optional<Answer> answer{};
  std::string version{};  ///< "hello@3"
  std::string type{};     ///< of what failed
  std::string message{};
  std::optional<std::chrono::milliseconds>
      delay{};  ///< (failed) until the next attempt, as the function asks
};

/// An attempt under way.
class Attempting {
 public:
  virtual ~Attempting() = default;
  /// It is not wanted any more. Its verdicts come all the same.
  virtual void cancel() = 0;
};

class Deliverer {
 public:
  virtual ~Deliverer() = default;
  /// Called on the thread of the queues, as is `then`: once, later, with a verdict for each item, and not
  /// after the deliverer has gone. It has a deadline of its own. Null: there is nothing to cancel.
  virtual std::shared_ptr<Attempting> deliver(Task task, std::function<void(std::vector<Verdict>)> then) = 0;
};

}  // namespace mayfly::events
