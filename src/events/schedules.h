// Schedules: at their times an event is accepted in a stream of their own, once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline_wheel.h"
#include "events/policy.h"
#include "events/store.h"

namespace mayfly::events {

/// What a function wants to be run at.
struct ScheduleSpec {
  std::string text;        ///< "0 3 * * *"
  std::string timezone;    ///< "Europe/Berlin"
  bool run_missed = true;  ///< of times that passed while no daemon ran, one is made up for; else none
  std::string payload;     ///< for the function
  Policy policy;
  WallTime since{};  ///< no earlier time counts: when it was deployed, or came back with a rollback
  /// The first time after another one; nothing: there is none any more.
  std::function<std::optional<WallTime>(WallTime after)> next;

  /// Names its stream and its queue.
  [[nodiscard]] std::string name(const std::string& function) const {
    return "schedule:" + function + ":" + text + " " + timezone;
  }
};

struct ScheduleView {
  std::string name;
  std::string function;
  std::string text;
  std::string timezone;
  std::optional<WallTime> next;
  std::optional<WallTime> last;
  bool paused = false;
};

/// Belongs to the engine's thread.
class Schedules {
 public:
  /// Accepts an event; its `then` comes back on this thread.
  using Append = std::function<void(NewEvent event, Then<std::vector<Accepted>> then)>;

  /// Writes a mark down, as well as that can be done.
  using Remember = std::function<void(Mark mark)>;

  Schedules(DeadlineWheel& deadlines, const Clock& clock, Append append, Remember remember)
      : deadlines_(deadlines), clock_(clock), append_(std::move(append)), remember_(std::move(remember)) {}

  /// How far each schedule had got: marks of the store, by the schedules' names.
  void set_marks(std::map<std::string, std::int64_t> marks) { marks_ = std::move(marks); }
  /// A schedule of a function, whose stream is there. Replaces the one of the same name.
  void set(const std::string& function, const ScheduleSpec& spec, StreamId stream, bool paused);
  void remove(const std::string& name) { all_.erase(name); }
  void pause(const std::string& name, bool paused);
  /// Runs it now, besides its times. False: there is no such schedule.
  bool run(const std::string& name, const Then<std::vector<Accepted>>& then);
  [[nodiscard]] std::vector<ScheduleView> list() const;
  [[nodiscard]] bool contains(const std::string& name) const { return all_.contains(name); }
  void stop() { all_.clear(); }

 private:
  struct One final : DeadlineEntry {
    void on_deadline() override { owner->fire(*this); }
    Schedules* owner = nullptr;
    std::string name;
    std::string function;
    ScheduleSpec spec;
    StreamId stream = 0;
    bool paused = false;
    WallTime last{};  // up to it, all times are done
    std::optional<WallTime> next;
  };

  void doubt_future(One& one) const;
  void pass(One& one, WallTime until);
  [[nodiscard]] WallTime done(const std::string& mark) const;
  void arm(One& one);
  void fire(One& one);
  void on_fired(const std::string& name, WallTime done, bool accepted);
  [[nodiscard]] NewEvent event(const One& one, WallTime time) const;

  DeadlineWheel& deadlines_;
  const Clock& clock_;
  Append append_;
  Remember remember_;
  std::map<std::string, std::int64_t> marks_;
  std::map<std::string, std::unique_ptr<One>> all_;
  std::set<std::string> firing_;  // those of which an event is being accepted; they may be gone meanwhile
};

}  // namespace mayfly::events
