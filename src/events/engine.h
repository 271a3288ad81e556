// Engine: all queues and schedules, on a thread of their own; and the door through which events are accepted.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/wheel_timer.h"
#include "events/queue.h"
#include "events/schedules.h"
#include "events/streams.h"

namespace mayfly::events {

/// What a function has to do with events.
struct FunctionEvents {
  struct Subscription {
    std::string topic;
    Policy policy;
    Queue::Filter filter;  ///< null: all
  };
  Policy async;  ///< for its asynchronous invocations
  std::vector<Subscription> subscriptions;
  std::vector<ScheduleSpec> schedules;
  std::shared_ptr<const QueueRole> role{};  ///< of all of its queues; null for functions
};

/// The stream, and the queue, for what is sent to a function itself; a pipeline's name has its prefix
/// already.
[[nodiscard]] std::string own_stream(const std::string& function);
inline constexpr std::string_view kPipelinePrefix = "pipeline:";

/// An event and what became of it.
struct EventDeliveries {
  std::string topic{};                       ///< that it was published to; "": was not
  EventPtr event{};                          ///< null: is not kept any more
  std::vector<DeliveryRecord> deliveries{};  ///< one for each queue that it is for, with its event
  /// Of all together: what is not over yet before what is, the worst before the best.
  [[nodiscard]] State state() const;
};

/// See engine_manual.cpp.
struct Listing;

/// One queue, for people.
struct QueueView {
  QueueInfo info;
  std::string function;
  Policy policy;
  QueueFigures figures;
  std::map<State, std::uint64_t> kept;  ///< deliveries that something is written down of, by their states
  bool attached = false;                ///< there is a function to deliver to
  bool paused = false;
};

class Engine final {
 public:
  /// Events that may wait in a stream; the next one is refused.
  static constexpr std::uint64_t kMaxBacklog = 5'000'000;
  /// Bytes of events that are accepted and that the engine's thread has not come to; then the next one is
  /// refused.
  static constexpr std::size_t kMaxUnseen = 64U << 20U;

  /// The store and the deliverer outlive the engine.
  Engine(EventStore& store, Deliverer& deliverer, const Clock& clock,
         std::uint64_t max_backlog = kMaxBacklog);
  ~Engine();

  /// Before start(): has those told who wanted to be called back. The rules outlive the engine.
  void use_callbacks(const CallbackRules& rules, const Policy& policy);
  /// Whether a result may be sent to this URL; the error says why not.
  [[nodiscard]] Result<void> check_callback(const std::string& url) const;

  /// Reads what is there and begins. Thread-safe calls before are done then.
  void start();
  /// Attempts nothing more. What is accepted is delivered after the next start.
  void quiesce();
  /// After quiesce(): waits up to `patience` for what runs, and ends the thread. What did not end is
  /// attempted again after the next start.
  void stop(std::chrono::milliseconds patience);
  [[nodiscard]] boost::asio::any_io_executor executor() { return io_.get_executor(); }

  // --- From any thread. What answers does so on the store's or the engine's thread, and must not wait. ---

  /// Accepts events in one stream, named "topic:NAME", "function:NAME" or "pipeline:NAME". A function's
  /// stream is made if it is not there, and so is a pipeline's; a topic that does not exist is unknown_topic.
  /// Errors besides those of the store: backlog_full; store_full also if the
  /// engine's thread does not keep up.
  void accept(std::string stream, std::vector<NewEvent> events, Then<std::vector<Accepted>> then);
  /// Makes a topic, if it is not there; `open`: whether everybody may publish to it, from now on.
  void make_topic(const std::string& name, bool open, Then<void> then);
  struct TopicView {
    std::string name;
    bool open = false;
    Position newest = 0;  ///< of its events
  };
  [[nodiscard]] std::vector<TopicView> topics() const;
  [[nodiscard]] bool is_open_topic(const std::string& name) const;

  /// A function ("pipeline:NAME": a pipeline) was deployed or changed; nothing: it was deleted. Its queues
  /// stay, and wait for it to come back.
  void set_function(std::string name, std::optional<FunctionEvents> events);

  /// Runs a decision of its own; what it had accepted is delivered. Refusals are the decision's.
  void decide(Decision decision, Then<void> then, std::size_t brings = 0);
  void look(Look look, Then<void> then) { store_.look(std::move(look), std::move(then)); }
  /// backlog_full: more waits in this stream than may.
  [[nodiscard]] Result<void> check_room(const std::string& stream) const;
  void documents(DocumentQuery query, Then<std::vector<Document>> then) {
    store_.documents(std::move(query), std::move(then));
  }

  /// All functions that there are were named by set_function(): queues that are left have none.
  void adopt_rest();
  /// Forgets a queue without a function, with all that waits in it and its dead letters. Errors:
  /// unknown_queue, queue_attached, delivery_running.
  void drop(const std::string& queue, Then<void> then);

  void find(DeliveryId id, Then<DeliveryRecord> then);
  /// Of an event, whose id has queue 0. unknown_delivery: nothing is known of it, or not any more.
  void deliveries(DeliveryId id, Then<EventDeliveries> then);
  void cancel(DeliveryId id, Then<State> then);
  /// As Queue says.
  void give_up(DeliveryId id, Then<State> then);
  void retry(DeliveryId id, Then<State> then);
  /// As store.list(), with what is in memory: those that run, and those that wait with nothing written down
  /// yet. Of a backlog that is larger than the window the rest is counted alone.
  void list(const std::string& queue, DeliveryQuery query, Then<std::vector<DeliveryRecord>> then);
  void queues(Then<std::vector<QueueView>> then);
  void schedules(Then<std::vector<ScheduleView>> then);
  /// Runs a schedule now, besides its times.
  void run_schedule(const std::string& name, Then<std::vector<Accepted>> then);
  void pause(const std::string& queue, bool paused, Then<void> then);
  /// Attempts dead deliveries of a queue again; gives how many.
  void redrive(const std::string& queue, std::size_t limit, Then<std::size_t> then);
  void purge(const std::string& queue, State state, Then<std::size_t> then);
  [[nodiscard]] StoreFigures store_figures() const { return store_.figures(); }

 private:
  using QueuePtr = std::shared_ptr<Queue>;
  struct QueueRules {
    Policy policy;
    Queue::Filter filter{};
    std::shared_ptr<const QueueRole> role{};
  };

  void accept_here(const std::string& stream, std::vector<NewEvent> events, Then<std::vector<Accepted>> then);
  void look_at_backlog(Stream& stream);
  void append(std::vector<NewEvent> events, Then<std::vector<Accepted>> then);
  void on_appended(const std::vector<EventPtr>& events);
  void post_appended(std::vector<EventPtr> events);
  void open(const std::string& stream, Then<StreamInfo> then);
  void read_all();
  [[nodiscard]] bool is_wanted(const std::string& topic) const;
  void set_schedule(const Queue& queue);
  void attach(const std::string& stream, const std::string& queue, const std::string& function,
              const QueueRules& rules);
  void add_queue(const QueueInfo& info, const std::string& function, const QueueRules& rules);
  [[nodiscard]] QueuePtr queue_of(const DeliveryId& id) const;
  void with_queue(DeliveryId id, Then<State> then, void (Queue::*what)(const DeliveryId&, Then<State>));
  void with_queue_named(const std::string& name, std::function<void(Result<QueuePtr>)> then);
  void list_on(const QueuePtr& queue, const std::shared_ptr<Listing>& listing);
  void redrive_some(const QueuePtr& queue, std::size_t left, std::size_t done, const Then<std::size_t>& then);
  void expire_now_and_then();
  void expire();
  [[nodiscard]] bool idle() const;
  /// A `then` for the store that comes back on the engine's thread.
  template <class T, class F>
  Then<T> here(F f) {
    return [this, f = std::move(f)](Result<T> result) mutable {
      auto held = std::make_shared<Result<T>>(std::move(result));
      boost::asio::post(io_, [held, f = std::move(f)]() mutable { f(std::move(*held)); });
    };
  }

  EventStore& store_;
  const Clock& clock_;
  const std::uint64_t max_backlog_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  DeadlineWheel deadlines_;
  WheelTimer wheel_timer_;
  QueueContext context_;
  Streams streams_;
  std::map<QueueId, QueuePtr> queues_;
  std::map<std::string, QueuePtr> by_name_;
  std::map<StreamId, std::vector<QueuePtr>> by_stream_;
  std::map<std::string, std::set<std::string>> functions_;  // that are deployed; the queues of each
  std::map<std::string, ScheduleSpec> specs_;               // by their names
  Schedules schedules_;
  std::atomic<std::size_t> unseen_{0};  // bytes, see kMaxUnseen
  bool read_ = false;                   // streams and marks are known
  bool quiet_ = false;                  // nothing begins any more
  ClockJumps jumps_;
  bool held_ = false;  // nothing expires for a time
  boost::asio::steady_timer expiry_;
  std::thread thread_;
};

}  // namespace mayfly::events
