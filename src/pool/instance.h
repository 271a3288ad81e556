// One process forked from a template, and the invocations that run in it.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline_wheel.h"
#include "base/fd.h"
#include "base/reactor.h"
#include "pool/calls.h"
#include "pool/failure.h"
#include "pool/instance_meter.h"
#include "pool/invocation.h"
#include "pool/last_words.h"
#include "pool/limit_watch.h"
#include "wire/frame.h"
#include "wire/offers.h"

namespace mayfly::pool {

class Instance;

/// Hears of an instance's fate. Called on the shard's thread, never from inside Instance::run.
class InstanceOwner {
 public:
  virtual ~InstanceOwner() = default;
  virtual void on_started(Instance& instance) = 0;    ///< it serves now
  virtual void on_slot_free(Instance& instance) = 0;  ///< an invocation has left it
  virtual void on_reacts(Instance& instance) = 0;     ///< it was in doubt, and may have slots again
  /// What an invocation cost on average since the last call, in CPU or blocked event loop, whichever is more.
  virtual void on_cost(nanoseconds per_invocation) = 0;
  virtual void on_answered(nanoseconds ran) = 0;  ///< an answer is complete
  /// It was given to an instance and did not begin there: it waits again, where it did before.
  virtual void on_taken_back(Invocation& invocation) = 0;
  /// What another instance costs: no invocation waits longer for one that runs before it.
  [[nodiscard]] virtual nanoseconds fork_price() const = 0;
  /// The deadline has passed for what an invocation still does, though its answer is complete (`answered`) or
  /// its caller has left.
  virtual void on_overdue_unheard(std::string_view invocation, bool answered) = 0;
  /// The deadline of an invocation has passed while it ran: the error that its caller gets. It is not told to
  /// on_failure().
  [[nodiscard]] virtual Error on_overdue(const Invocation& invocation) = 0;
  /// Bytes that the body of an answer may have.
  [[nodiscard]] virtual std::uint64_t max_response() const = 0;
  /// Bytes of memory that it may use; 0: nobody limits that.
  [[nodiscard]] virtual std::uint64_t memory_limit() const = 0;
  /// Whether the kernel has killed a process of the version because its memory was used up, which explains
  /// the failure that asks. Each such kill explains one.
  [[nodiscard]] virtual bool take_memory_kill() = 0;
  /// Where its use is booked; null: nowhere.
  [[nodiscard]] virtual meter::UsageAccount* usage() { return nullptr; }
  /// Bytes of memory that its instances share with what they were forked from.
  [[nodiscard]] virtual std::uint64_t inherited_memory() const { return 0; }
  /// Its instances serve one invocation each, and leave by themselves after it.
  [[nodiscard]] virtual bool single_use() const = 0;
  /// Through which its invocations call functions; null: they cannot.
  [[nodiscard]] virtual CallHost* call_host() { return nullptr; }
  /// What they call as. Asked for only where there is a call_host().
  [[nodiscard]] virtual const registry::Version* version_of_calls() const { return nullptr; }
  virtual void on_ended(Instance& instance, const Error& why) = 0;  ///< once, last; its process is gone
  virtual void on_failure(std::string_view invocation,
                          const Error& error) = 0;  ///< for the function's history
};

/// An instance's slot taken by one invocation. Move-only; gives the slot back when it ends.
class [[nodiscard]] Lease {
 public:
  Lease() = default;
  explicit Lease(Instance& instance);
  Lease(Lease&& other) noexcept : instance_(std::exchange(other.instance_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { release(); }
  [[nodiscard]] Instance* instance() const { return instance_; }
  [[nodiscard]] explicit operator bool() const { return instance_ != nullptr; }

 private:
  void release();
  Instance* instance_ = nullptr;
};

/// Belongs to one shard's thread; held by shared_ptr since its end is heard of from several sides.
///
/// A *serial* instance runs one invocation after another. Others are sent to it meanwhile, so that it need
/// not wait for the daemon between two; until it claims them (wire::Offers) they are taken back when the
/// process dies, when the one that runs is past its deadline, or runs for longer than a fork takes, and when
/// their caller leaves or their own deadline comes. What has begun is never run again. See tail.cpp.
class Instance
    : public std::enable_shared_from_this<Instance>,
      public Runner,
      public Limited,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
      private ReactorEntry,
      private TurnEnd,
      private CallOutput {
 public:
  enum class State { starting, serving, ending, ended };

  /// `data` is non-blocking. With `offers` it is serial, and `concurrency` is how many it may be given at
  /// once.
  Instance(Reactor& reactor, DeadlineWheel& deadlines, InstanceOwner& owner, Fd data, int concurrency,
           std::optional<wire::Offers> offers = {});
  ~Instance() override;
  void start();

  /// Give it an invocation. The lease must be of this instance.
  void run(Invocation& invocation, Lease lease);
  void send_body(Invocation& invocation, std::string_view bytes, bool end) override;
  void credit(Invocation& invocation, std::size_t bytes) override;
  /// The slot stays taken until the handler is done.
  void abandon(Invocation& invocation, wire::AbortReason reason) override;
  /// It has been told to leave and has nothing left to do, or has said that it is about to end; it is ended
  /// if it stays.
  void let_go();
  /// End it now. Invocations that run in it fail.
  void end(KillCause cause);
  /// The same, for what it has done: invocations that run in it fail with this error.
  void end_because(const Error& why) override;
  void note_excess(const Error& why) override;
  [[nodiscard]] Fd process() const override;

  // What the fork server said about it.
  void on_forked(Fd pidfd);
  void on_fork_failed(const Error& error);
  /// `cpu`: what it used, with the children that it waited for; 0: unknown.
  void on_exited(int wait_status, nanoseconds cpu = nanoseconds(0));
  /// Its template is gone, and it with it.
  void on_parent_gone();
  /// The shard ends: what its invocations called must not hear of it later.
  void end_calls() {
    if (calls_) calls_->end_all();
  }
  /// Books what it has used until now.
  void bring_up_to_date() { meter_.bring_up_to_date(pid(), std::chrono::steady_clock::now()); }
  /// Its owner is going: end it and tell the owner nothing any more. Invocations in it are dropped silently.
  void disown();
  /// Text that the process wrote to descriptor 2; the end of it explains some deaths.
  std::shared_ptr<LastWords> last_words = std::make_shared<LastWords>();
  bool counted_busy = false;  ///< the owner's: whether keep-alive has it as busy

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] int in_flight() const { return in_flight_; }
  [[nodiscard]] int concurrency() const { return static_cast<int>(concurrency_); }
  /// Half of the slots lost to handlers that do not end: it gets nothing new until they do, or until nobody
  /// else is left in it and it can be ended. Nor does it while a handler is past its deadline and the event
  /// loop has not shown since then that it turns: who came now might be lost with it.
  [[nodiscard]] bool has_slot() const {
    return state_ == State::serving && pings_ == 0 && !shut_ && in_flight_ < concurrency() &&
           2 * lapsed_ < concurrency();
  }
  [[nodiscard]] MonotonicTime idle_since() const { return idle_since_; }
  [[nodiscard]] MonotonicTime created() const { return created_; }
  /// Since when it serves.
  [[nodiscard]] MonotonicTime came_up_at() const { return came_up_at_; }
  [[nodiscard]] std::uint64_t served() const { return served_; }
  /// Whether it ever came to serving.
  [[nodiscard]] bool came_up() const { return came_up_; }
  /// The pid as the daemon sees it; 0 when not known.
  [[nodiscard]] int pid() const;
  /// Whether it has worked since this was asked last.
  [[nodiscard]] bool has_worked() {
    const bool served = std::exchange(served_when_asked_, served_) != served_;
    return state_ == State::serving && (in_flight_ > 0 || served);
  }

 private:
  friend class Lease;

  /// A slot of the wire. Its deadline outlives the caller: background work ends with it.
  struct Stream final : DeadlineEntry {
    void on_deadline() override;
    Instance* instance = nullptr;
    std::uint32_t id = 0;  ///< 0: free
    std::uint32_t generation = 0;
    Invocation* invocation = nullptr;  ///< null once the answer ended or is not wanted
    bool has_head = false;             ///< the answer's head has come
    std::uint64_t answer_bytes = 0;    ///< of its body, so far
    std::int64_t window = 0;           ///< bytes of answer that it may still send
    std::uint64_t body_out = 0;  ///< bytes of the request's body that it was sent and gave no credit for
    bool answered = false;       ///< the whole answer has come
    bool overdue = false;        ///< the deadline has passed, and it was told
    bool lapsed = false;         ///< still there after the deadline and its grace
    bool has_begun = false;      ///< serial: the daemon has noticed that it began
    bool whole = false;          ///< it was sent with its whole body: it can be sent again
    std::array<char, 32> invocation_id{};
    // For its calls: see Caller.
    MonotonicTime ends{};
    std::uint8_t depth = 0;
    bool event = false;
    std::string remote;
    std::string_view scheme;
    Chain chain;
    DeadlineOwner deadline_owner;
    MeteredRun run;
    Lease lease;
  };
  /// Wakes when it did not come up, when a ping was not answered, and when a killed process was not reported
  /// as ended (its fork server died, or is stuck itself).
  struct Patience final : DeadlineEntry {
    explicit Patience(Instance& i) : instance(i) {}
    void on_deadline() override { instance.out_of_patience(); }
    Instance& instance;
  };
  /// Wakes to see whether the one that runs in a serial instance holds up those behind it.
  struct TailWatch final : DeadlineEntry {
    explicit TailWatch(Instance& i) : instance(i) {}
    void on_deadline() override { instance.watch_tail(); }
    Instance& instance;
  };

  Stream* find(std::uint32_t id);
  Stream& take_stream();
  void free_stream(Stream& stream);
  void vacate(Stream& stream);
  Invocation* detach(Stream& stream);
  void abort(Stream& stream, wire::AbortReason reason);
  Invocation* answered(Stream& stream);

  void on_ready(std::uint32_t events) override;
  void on_turn_end() override { flush(); }
  void read();
  void on_read(std::size_t bytes);
  void read_frames(std::size_t bytes);
  void handle(const wire::Frame& frame);
  void handle_response(const wire::Frame& frame);
  void handle_body(const wire::Frame& frame);
  void handle_credit(const wire::Frame& frame);
  [[nodiscard]] bool spend(Stream& stream, std::size_t bytes);
  [[nodiscard]] bool admit(Stream& stream, std::size_t bytes);
  void refuse_too_large(Stream& stream);
  void violated(std::string_view how);
  void handle_usage(const wire::Frame& frame);
  void overdue(Stream& stream);
  void lapse(Stream& stream);
  void ping();
  void handle_pong();
  void out_of_patience();
  void end_run(Stream& stream);
  void book_unbegun(const Invocation& invocation, meter::Outcome outcome);
  void schedule_flush();
  void flush();
  void finish();

  // instance_calls.cpp
  void handle_call(const wire::Frame& frame);
  [[nodiscard]] std::string_view open_call(const wire::Frame& frame);
  void note_caller(Stream& stream, const Invocation& invocation);
  std::string& frames() override { return out_; }
  void written() override { schedule_flush(); }

  // tail.cpp: those that wait in a serial instance.
  void note_given(Stream& stream);
  void note_begun(Stream& stream);
  [[nodiscard]] MonotonicTime begun_at(const Stream& stream) const;
  [[nodiscard]] bool take_back(Stream& stream);
  [[nodiscard]] const Stream* running() const;
  [[nodiscard]] std::vector<Stream*> take_back_tail();
  void clear_tail();
  void watch_tail();
  void overdue_unbegun(Stream& stream);
  void return_tail(const Error& why);
  Error why_it_ended() const;

  /// An instance whose event loop turns answers a ping in microseconds; one that computes may take a while.
  static constexpr milliseconds kPingPatience{200};

  Fd data_;
  Reactor& reactor_;
  DeadlineWheel& deadlines_;
  InstanceOwner& owner_;
  const unsigned concurrency_;
  wire::FrameDecoder decoder_;
  std::string out_;
  bool write_waiting_ = false;
  std::deque<Stream> streams_;
  std::vector<std::uint32_t> free_slots_;
  std::unique_ptr<Calls> calls_;  // once it has called something
  InstanceMeter meter_;
  Patience patience_;
  std::optional<wire::Offers> offers_;  // of a serial instance
  TailWatch tail_watch_{*this};
  bool shut_ = false;         // serial: nothing more until it is empty
  MonotonicTime progress_{};  // serial: when one was answered, or given to an empty instance
  State state_ = State::starting;
  bool came_up_ = false;
  int in_flight_ = 0;
  int lapsed_ = 0;  // of these
  int pings_ = 0;   // not answered yet
  std::uint64_t served_ = 0;
  std::uint64_t served_when_asked_ = 0;  // in has_worked()
  mutable int pid_ = 0;                  // 0: not asked for yet
  std::uint64_t cpu_ = 0;
  std::uint64_t busy_ = 0;
  std::uint64_t completed_ = 0;
  Fd pidfd_;
  std::optional<int> wait_status_;
  std::optional<Error> fatal_;
  std::optional<Error> excess_;  // what it uses more of than it may: this is why it ends
  KillCause cause_ = KillCause::none;
  bool data_closed_ = false;
  bool parent_gone_ = false;
  MonotonicTime created_;
  MonotonicTime came_up_at_{};
  MonotonicTime idle_since_;
};

}  // namespace mayfly::pool
