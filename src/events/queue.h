// A queue at work: which of its deliveries are attempted when, and what becomes of them.
//
// What is on disk leads; in memory is a window of bounded size. Events behind the window are read when there
// is room, deliveries whose next attempt is far off are forgotten until it is near.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/clock_jumps.h"
#include "base/deadline_wheel.h"
#include "events/callbacks.h"
#include "events/deliverer.h"
#include "events/policy.h"
#include "events/queue_role.h"
#include "events/store.h"

namespace mayfly::events {

/// What all queues share. Outlives them.
struct QueueContext {
  EventStore& store;
  Deliverer& deliverer;
  DeadlineWheel& deadlines;
  const Clock& clock;
  boost::asio::any_io_executor executor;     ///< of the thread that the queues belong to
  const CallbackRules* callbacks = nullptr;  ///< null: nobody is called back
};

struct QueueFigures {
  std::uint64_t backlog = 0;  ///< accepted and not looked at yet
  std::size_t waiting = 0;    ///< in the window, to be attempted now or later
  std::size_t running = 0;
  std::uint64_t succeeded = 0, failed = 0, dead = 0, cancelled = 0;  ///< since the start
};

/// Belongs to one thread; held by shared_ptr, since the store answers later.
class Queue final : public std::enable_shared_from_this<Queue>, private DeadlineEntry {
 public:
  /// At most so many events, and so many bytes of them, are in the window; …
  static constexpr std::size_t kWindowCount = 1024;
  static constexpr std::size_t kWindowBytes = 16U << 20U;
  /// … which reaches at most so far beyond the oldest that is not done.
  static constexpr Position kWindowReach = 65'536;
  /// Who is due later than this is forgotten until then.
  static constexpr std::chrono::seconds kNear{30};

  using Filter = std::function<bool(const Event&)>;  ///< whether an event is for this queue; null: all are

  Queue(const QueueContext& context, const QueueInfo& info, std::string function);

  /// Begin: `newest` is the newest position of its stream. Until then nothing is attempted.
  void start(Position newest);
  /// `role`: null for the most.
  void set(const Policy& policy, Filter filter, std::shared_ptr<const QueueRole> role = {});
  /// Whether there is a function to deliver to; and whether somebody has stopped the queue.
  void attach(bool attached);
  void pause(bool paused);
  /// Attempts nothing more; what runs is heard to its end.
  void stop() {
    stopped_ = true;
    DeadlineEntry::cancel();  // it may outlive the wheel
  }

  /// An event was accepted in its stream. They come in order, none is left out.
  void on_appended(const EventPtr& event);

  /// Ends a delivery: cancelled. An attempt under way is told, unless it has others in its batch. Errors: it
  /// has ended already; unknown_delivery, also when the id's check is not the event's.
  void cancel(const DeliveryId& id, Then<State> then) { end(id, Change::cancel, std::move(then)); }
  /// The same, but an attempt under way is not told, and heard to its end: if it fails, no other follows.
  void give_up(const DeliveryId& id, Then<State> then) { end(id, Change::give_up, std::move(then)); }
  /// Attempts it again from the beginning, whatever has become of it. Error: it runs, or is not kept any
  /// more.
  void retry(const DeliveryId& id, Then<State> then);
  /// How it stands, if that is known here: better than what is stored.
  [[nodiscard]] std::optional<State> peek(Position position) const;

  /// Those of the window that a query asks for, as they stand; newest first.
  [[nodiscard]] std::vector<DeliveryRecord> window(const DeliveryQuery& query) const;
  /// How its deliveries are named: the queue that is the only one of its stream need not be.
  [[nodiscard]] DeliveryId id_of(Position position, std::uint64_t check) const {
    return {info_.stream, position, info_.name.contains('>') ? info_.id : 0, check};
  }

  [[nodiscard]] QueueFigures figures() const;
  /// Events accepted and not done, about.
  [[nodiscard]] std::uint64_t backlog() const {
    return newest_ - std::min(newest_, loaded_) + without_row_.size() + open_rows_;
  }
  [[nodiscard]] const Policy& policy() const { return policy_; }
  [[nodiscard]] const QueueInfo& info() const { return info_; }
  [[nodiscard]] const std::string& function() const { return function_; }
  [[nodiscard]] bool attached() const { return attached_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool idle() const { return running_ == 0 && recording_ == 0; }
  /// Gets what was accepted together with an outcome of this queue.
  std::function<void(const std::vector<EventPtr>&)> follow_up{};

 private:
  enum class Place { ready, blocked, delayed, running, recording };
  struct Entry {
    EventPtr event;
    Place place = Place::ready;
    int attempts = 0;
    bool has_row = false;
    bool cancelled = false;                 // while it runs: its end is a cancellation …
    bool unwanted = false;                  // … and the attempt is not to be heard to its end
    WallTime since{};                       // its age counts from then …
    std::chrono::milliseconds max_age{-1};  // … up to this; -1: what the queue's policy says
    WallTime not_before{};
    MonotonicTime ready_since{};
    WallTime started{};
    std::shared_ptr<Attempting> attempting{};
    std::vector<Then<State>> waiting{};  // who asked for its end …
    std::vector<Then<State>> again{};    // … and for another beginning
  };
  using Entries = std::map<Position, Entry>;

  // queue.cpp: attempts
  void on_deadline() override;
  [[nodiscard]] bool may_begin() const;
  void dispatch();
  [[nodiscard]] std::vector<Position> next_batch();
  [[nodiscard]] std::vector<Position> next_alone() const;
  [[nodiscard]] bool has_most(const std::string& partition) const;
  void put_off();
  void attempt(const std::vector<Position>& batch);
  void on_verdicts(const std::vector<Position>& batch, std::vector<Verdict> verdicts);
  [[nodiscard]] Outcome judge(Position position, Entry& entry, Verdict& verdict);
  [[nodiscard]] Outcome outcome(Position position, const Entry& entry, State state) const;
  [[nodiscard]] Policy policy_of(const Event& event) const;
  [[nodiscard]] std::chrono::milliseconds max_age_of(const Entry& entry) const {
    return entry.max_age.count() < 0 ? policy_.max_age : entry.max_age;
  }
  [[nodiscard]] WallTime end_of(const Entry& entry) const;
  void decide(const EventPtr& event, Outcome& outcome) const;
  void give_up_old();
  void record(std::vector<Outcome> outcomes);
  /// `again`: it has failed before.
  void write(std::shared_ptr<std::vector<Outcome>> outcomes, bool again);
  void on_recorded(const std::vector<Outcome>& outcomes);
  void settle(const Outcome& outcome);
  void rearm();
  void count(State state);
  void tell_cursor();

  // queue_window.cpp: what is in memory
  void begin();
  void count_row(bool was_open, bool is_open);
  void load();
  void on_read(Result<std::vector<EventPtr>> events);
  void load_due();
  void forget_until(WallTime due);
  void on_due(Result<std::vector<OpenDelivery>> due);
  void take(const EventPtr& event);
  void admit(const EventPtr& event);
  void reorder();
  void refilter();
  void put(Position position, Entry entry);
  void place(Position position, Entry& entry);
  void leave(Position position, const Entry& entry);
  void remove(Entries::iterator entry);
  [[nodiscard]] bool is_full() const { return entries_.size() >= kWindowCount || bytes_ >= kWindowBytes; }
  [[nodiscard]] static bool is_half(std::size_t count, std::size_t bytes) {
    return count >= kWindowCount / 2 || bytes >= kWindowBytes / 2;
  }
  [[nodiscard]] bool is_half_full() const { return is_half(entries_.size(), bytes_); }
  [[nodiscard]] static std::size_t size_of(const Event& event) {
    return event.body.size() + event.fields.size();
  }
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] bool has_room_for_due() const { return no_room_for_due_ ? !is_half_full() : !is_full(); }
  [[nodiscard]] Position cursor(const std::vector<Outcome>& done) const;

  // queue_manual.cpp
  enum class Change { retry, cancel, give_up };
  void end(const DeliveryId& id, Change how, Then<State> then);
  void change_stored(const DeliveryId& id, Change change, Then<State> then);
  [[nodiscard]] bool is_unwanted(const Attempting& attempting) const;
  void on_found(Change change, const DeliveryRecord& record, const Then<State>& then);
  void on_changed(const DeliveryRecord& before, State state, bool written);
  [[nodiscard]] Entries::iterator find(const DeliveryId& id);

  /// A `then` for the store that comes back on this thread, if the queue is still there.
  template <class T, class F>
  Then<T> here(F f);

  QueueContext context_;
  QueueInfo info_;
  std::string function_;
  Policy policy_{};
  Filter filter_{};
  std::shared_ptr<const QueueRole> role_{};
  bool attached_ = false;
  bool paused_ = false;
  bool started_ = false;
  bool stopped_ = false;

  Entries entries_;
  std::set<Position> ready_;
  std::set<std::pair<WallTime, Position>> delayed_;
  std::unordered_map<std::string, std::set<Position>> partitions_;  // ordered: all that are not done
  std::unordered_map<std::string, int> running_of_;                 // partitions: attempts; none: not there
  std::set<Position> without_row_;                                  // the cursor stays below these
  std::set<Position> rows_ahead_;  // behind the window, with a row already: not to be taken from the stream
  // Not in the window, and being changed by hand: not to be taken before that is written. With the event, if
  // the window has come to it meanwhile.
  std::map<Position, EventPtr> changing_;
  std::size_t bytes_ = 0;
  Position loaded_ = 0;  // events up to this have been looked at
  Position newest_ = 0;
  Position told_ = 0;            // the cursor that the store has, or is about to get
  std::uint64_t open_rows_ = 0;  // deliveries that are not done and have a row, in the window or not
  bool loading_ = false;
  bool loading_due_ = false;
  bool no_room_for_due_ = false;  // some were left on disk for that: not before the window is half empty
  bool forgotten_ = false;        // deliveries that are due later are on disk alone
  MonotonicTime look_again_{};    // for them
  ClockJumps jumps_;
  MonotonicTime hold_until_{};  // the function takes nothing more just now
  std::chrono::milliseconds hold_{0};

  std::size_t running_ = 0;       // invocations
  std::size_t recording_ = 0;     // calls of the store …
  std::size_t unwritten_ = 0;     // … of which these have failed, and are tried again
  std::size_t answer_bytes_ = 0;  // that wait to be written
  QueueFigures figures_{};
  std::mt19937_64 random_;
};

}  // namespace mayfly::events
