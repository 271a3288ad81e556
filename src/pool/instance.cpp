#include "pool/instance.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "base/reap.h"
#include "base/text.h"

namespace mayfly::pool {
namespace {

/// From the request for it until it serves. Code that cannot be forked is loaded in this time.
constexpr std::chrono::seconds kStartPatience{30};
/// From a death by signal until its last words are read.
constexpr milliseconds kLogPatience{20};
/// From SIGKILL until the fork server has reported the end of the process.
constexpr milliseconds kEndPatience{2'000};
/// After the deadline an invocation may still say that it is done before the process is ended for it.
constexpr milliseconds kAbortGrace{20};
/// What an instance that has ended can have left in its socket, and more.
constexpr std::size_t kMostLeftBehind = 4U << 20U;

}  // namespace

// --- Life ------------------------------------------------------------------------------------------

Instance::Instance(Reactor& reactor, DeadlineWheel& deadlines, InstanceOwner& owner, Fd data, int concurrency,
                   std::optional<wire::Offers> offers)
    : data_(std::move(data)),
      reactor_(reactor),
      deadlines_(deadlines),
      owner_(owner),
      concurrency_(static_cast<unsigned>(concurrency)),
      meter_(owner.usage(), offers.has_value(), owner.memory_limit(), owner.inherited_memory(),
             std::chrono::steady_clock::now()),
      patience_(*this),
      offers_(std::move(offers)),
      created_(std::chrono::steady_clock::now()),
      idle_since_(created_) {}

Instance::~Instance() {
  state_ = State::ended;  // leases that end now must not call the owner
}

void Instance::start() {
  if (!reactor_.join(*this, data_.get(), EPOLLIN)) return end(KillCause::none);
  deadlines_.add(patience_, created_ + kStartPatience);
}

int Instance::pid() const {
  if (pid_ == 0 && pidfd_) pid_ = pid_of(pidfd_.get());
  return pid_;
}

Fd Instance::process() const { return Fd(pidfd_ ? ::fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 0) : -1); }

void Instance::on_forked(Fd pidfd) {
  pidfd_ = std::move(pidfd);
  if (state_ == State::ending || state_ == State::ended) kill_process(pidfd_.get());
}

void Instance::on_fork_failed(const Error& error) {
  fatal_ = Error{PoolErrc::fork_failed, "no instance could be made: " + error.message, {}};
  finish();
}

void Instance::on_exited(int wait_status, nanoseconds cpu) {
  const auto self = shared_from_this();
  wait_status_ = wait_status;
  meter_.on_exited(cpu, std::chrono::steady_clock::now());
  // What it wrote before it ended is still in the socket: an answer, or why it ended. What it has started may
  // go on writing.
  for (std::size_t read = 0; read < kMostLeftBehind && !data_closed_ && state_ != State::ended;) {
    const auto [room, size] = decoder_.prepare();
    const ssize_t got = ::recv(data_.get(), room, size, MSG_DONTWAIT);
    if (got <= 0) break;
    read += static_cast<std::size_t>(got);
    on_read(static_cast<std::size_t>(got));
  }
  // Why a signal came may still be on its way through the log.
  if (!WIFSIGNALED(wait_status) || cause_ != KillCause::none || fatal_ || excess_ || state_ == State::ended)
    return finish();
  state_ = State::ending;
  unlink();
  deadlines_.add(patience_, std::chrono::steady_clock::now() + kLogPatience);
}

void Instance::on_parent_gone() {
  parent_gone_ = true;
  end(KillCause::none);
  if (data_closed_) finish();
}

void Instance::disown() {
  bring_up_to_date();
  meter_.close();
  if (pidfd_) kill_process(pidfd_.get());
  state_ = State::ended;
  end_calls();
  unlink();
  patience_.cancel();
  tail_watch_.cancel();
  for (Stream& stream : streams_) {
    stream.cancel();
    if (stream.id != 0) detach(stream);
  }
  leave();
  data_.reset();
}

void Instance::let_go() {
  if (state_ != State::serving) return;
  state_ = State::ending;
  unlink();
  deadlines_.add(patience_, std::chrono::steady_clock::now() + kEndPatience);
}

void Instance::end(KillCause cause) {
  if (state_ == State::ended) return;
  if (cause_ == KillCause::none) cause_ = cause;
  if (state_ != State::ending) deadlines_.add(patience_, std::chrono::steady_clock::now() + kEndPatience);
  state_ = State::ending;
  unlink();
  end_calls();
  if (pidfd_) kill_process(pidfd_.get());
}

void Instance::end_because(const Error& why) {
  note_excess(why);
  end(KillCause::none);
}

void Instance::note_excess(const Error& why) {
  if (!excess_ && (state_ == State::starting || state_ == State::serving)) excess_ = why;
}

Error Instance::why_it_ended() const {
  if (excess_) return *excess_;
  if (fatal_) return *fatal_;
  const auto words = last_words->text();
  Death death{wait_status_.value_or(-1), cause_, words, owner_.memory_limit(), false};
  const bool killed = !wait_status_ || (WIFSIGNALED(*wait_status_) && WTERMSIG(*wait_status_) == SIGKILL);
  if (cause_ == KillCause::none && killed) death.kernel_wanted_memory = owner_.take_memory_kill();
  return describe_death(death);
}

/// The process is gone and everything it said was read: tell everyone.
void Instance::finish() {
  if (state_ == State::ended) return;
  const auto self = shared_from_this();
  state_ = State::ended;
  end_calls();
  unlink();
  patience_.cancel();
  tail_watch_.cancel();
  leave();
  data_.reset();
  const Error why = why_it_ended();
  if (offers_) return_tail(why);
  bool was_heard = false;
  for (Stream& stream : streams_) {
    if (stream.id == 0) continue;
    was_heard = true;
    note_begun(stream);
    Invocation* invocation = detach(stream);
    end_run(stream);
    stream.cancel();
    stream.id = 0;
    stream.lease = Lease();
    if (invocation != nullptr) {
      owner_.on_failure(invocation->id_text(), why);
      invocation->listener->on_failure(*invocation, why);
    }
  }
  bring_up_to_date();
  meter_.close();
  if (excess_ && !was_heard) owner_.on_failure({}, why);
  owner_.on_ended(*this, why);
}

// --- Streams ---------------------------------------------------------------------------------------

Instance::Stream& Instance::take_stream() {
  if (free_slots_.empty()) {
    Stream& stream = streams_.emplace_back();
    stream.instance = this;
    free_slots_.push_back(static_cast<std::uint32_t>(streams_.size() - 1));
  }
  const auto slot = free_slots_.back();
  free_slots_.pop_back();
  Stream& stream = streams_[slot];
  constexpr std::uint32_t kGenerations = 1U << (32U - wire::kSlotBits);
  stream.generation = (stream.generation + 1) % kGenerations;
  if (stream.generation == 0) stream.generation = 1;
  stream.id = slot | stream.generation << wire::kSlotBits;
  stream.has_head = stream.answered = stream.overdue = stream.lapsed = stream.has_begun = stream.whole =
      false;
  stream.window = wire::kWindow;
  stream.body_out = 0;
  return stream;
}

Instance::Stream* Instance::find(std::uint32_t id) {
  const auto slot = wire::slot_of(id);
  if (slot >= streams_.size()) return nullptr;
  Stream& stream = streams_[slot];
  return id != 0 && stream.id == id ? &stream : nullptr;
}

/// Its slot is another's.
void Instance::vacate(Stream& stream) {
  stream.cancel();
  if (calls_) calls_->end_of(stream.id);
  stream.chain = {};
  free_slots_.push_back(wire::slot_of(stream.id));
  stream.id = 0;
  stream.lease = Lease();
}

/// Its handler is done.
void Instance::free_stream(Stream& stream) {
  ++served_;
  if (stream.lapsed) --lapsed_;
  if (offers_) progress_ = std::chrono::steady_clock::now();
  if (in_flight_ == 1) shut_ = false;
  end_run(stream);
  vacate(stream);
  if (lapsed_ > 0 && lapsed_ == in_flight_) end(KillCause::deadline);
}

/// What its invocation has used is known.
void Instance::end_run(Stream& stream) {
  meter_.end(stream.run, in_flight_ - 1, pid(), std::chrono::steady_clock::now());
}

void Instance::book_unbegun(const Invocation& invocation, meter::Outcome outcome) {
  meter_.book_unbegun(invocation, outcome);
  meter_.take_back(in_flight_ - 1, pid(), std::chrono::steady_clock::now());
}

/// The stream forgets its invocation, and the invocation its place.
Invocation* Instance::detach(Stream& stream) {
  Invocation* invocation = std::exchange(stream.invocation, nullptr);
  if (invocation != nullptr) {
    invocation->state = Invocation::State::idle;
    invocation->runner = nullptr;
    invocation->stream = 0;
  }
  return invocation;
}

/// As detach(), when the whole answer is there.
Invocation* Instance::answered(Stream& stream) {
  Invocation* invocation = detach(stream);
  if (invocation == nullptr) return nullptr;
  stream.answered = true;
  stream.run.note(meter::Outcome::answered);
  invocation->answered = std::chrono::steady_clock::now();
  owner_.on_answered(invocation->answered - invocation->started);
  return invocation;
}

void Instance::run(Invocation& invocation, Lease lease) {
  Stream& stream = take_stream();
  stream.invocation = &invocation;
  stream.invocation_id = invocation.id;
  stream.lease = std::move(lease);
  invocation.state = Invocation::State::running;
  invocation.runner = this;
  invocation.stream = stream.id;
  invocation.started = std::chrono::steady_clock::now();
  deadlines_.add(stream, invocation.deadline);
  if (offers_) note_given(stream);
  note_caller(stream, invocation);

  std::uint8_t flags = invocation.body_complete ? wire::kEnd : 0;
  if (invocation.event) flags |= wire::kEvent;
  const std::size_t begin = wire::begin_frame(out_, {wire::FrameType::invoke, flags, stream.id, 0, {}});
  wire::append_invoke_head(
      out_, {to_wire(invocation.deadline), invocation.id_text(), invocation.remote, invocation.scheme,
             invocation.method, invocation.target, invocation.headers});
  out_.append(invocation.body);
  stream.body_out = invocation.body.size();
  if (!stream.whole) invocation.body.clear();
  wire::end_frame(out_, begin);
  meter_.begin(stream.run, invocation, out_.size() - begin - wire::kHeaderSize, pid(), invocation.started);
  if (owner_.single_use()) wire::append_frame(out_, {wire::FrameType::stop, 0, 0, 0, {}});
  schedule_flush();
}

void Instance::send_body(Invocation& invocation, std::string_view bytes, bool end) {
  if (Stream* stream = find(invocation.stream)) {
    stream->body_out += bytes.size();
    stream->run.record.bytes_in += bytes.size();
  }
  out_.reserve(out_.size() + bytes.size() + (bytes.size() / wire::kMaxChunk + 1) * wire::kHeaderSize);
  do {
    const auto part = bytes.substr(0, wire::kMaxChunk);
    bytes.remove_prefix(part.size());
    const std::uint8_t flags = end && bytes.empty() ? wire::kEnd : 0;
    wire::append_frame(out_, {wire::FrameType::body, flags, invocation.stream, 0, part});
  } while (!bytes.empty());
  schedule_flush();
}

void Instance::credit(Invocation& invocation, std::size_t bytes) {
  if (Stream* stream = find(invocation.stream)) stream->window += static_cast<std::int64_t>(bytes);
  wire::append_frame(out_,
                     {wire::FrameType::credit, 0, invocation.stream, static_cast<std::uint32_t>(bytes), {}});
  schedule_flush();
}

void Instance::abandon(Invocation& invocation, wire::AbortReason reason) {
  Stream* stream = find(invocation.stream);
  if (stream == nullptr) return;
  if (!take_back(*stream)) {
    stream->run.note(meter::Outcome::cancelled);
    return abort(*stream, reason);
  }
  book_unbegun(*detach(*stream), meter::Outcome::cancelled);
  vacate(*stream);
}

void Instance::abort(Stream& stream, wire::AbortReason reason) {
  detach(stream);
  if (calls_) calls_->end_of(stream.id);
  wire::append_frame(out_, {wire::FrameType::abort, 0, stream.id, static_cast<std::uint32_t>(reason), {}});
  schedule_flush();
}

// --- Deadlines -------------------------------------------------------------------------------------

void Instance::Stream::on_deadline() { instance->overdue(*this); }

/// A stream is past its deadline. Its caller gets an answer now, and the handler, which may be at work after
/// its answer, a little time to end.
void Instance::overdue(Stream& stream) {
  const auto self = shared_from_this();
  if (stream.overdue) return lapse(stream);
  if (take_back(stream)) return overdue_unbegun(stream);
  note_begun(stream);
  stream.overdue = true;
  stream.run.note(meter::Outcome::timed_out);
  Invocation* invocation = stream.invocation;
  const auto waited_for = calls_ ? calls_->waiting_text(stream.id) : std::string();
  abort(stream, wire::AbortReason::deadline);
  deadlines_.add(stream, std::chrono::steady_clock::now() + kAbortGrace);
  if (offers_)
    clear_tail();
  else if (concurrency_ > 1)
    ping();
  if (invocation == nullptr)
    return owner_.on_overdue_unheard({stream.invocation_id.data(), stream.invocation_id.size()},
                                     stream.answered);
  Error error = excess_ ? *excess_ : owner_.on_overdue(*invocation);
  if (excess_)
    owner_.on_failure(invocation->id_text(), error);
  else
    error.message += waited_for;
  invocation->listener->on_failure(*invocation, std::move(error));
}

/// The grace is over and the slot still taken. An instance in which nothing else runs is ended; among others
/// it has to answer a ping: JavaScript cannot be stopped from outside, and an event loop that turns harms
/// nobody else.
void Instance::lapse(Stream& stream) {
  stream.lapsed = true;
  ++lapsed_;
  if (!has_slot()) unlink();
  if (lapsed_ == in_flight_) return end(KillCause::deadline);
  if (patience_.pending()) return;
  if (pings_ == 0) ping();
  deadlines_.add(patience_, std::chrono::steady_clock::now() + kPingPatience);
}

void Instance::ping() {
  ++pings_;
  unlink();
  wire::append_frame(out_, {wire::FrameType::ping, 0, 0, 0, {}});
  schedule_flush();
}

void Instance::handle_pong() {
  if (pings_ == 0) return;
  --pings_;
  if (pings_ > 0 || state_ != State::serving) return;
  patience_.cancel();
  owner_.on_reacts(*this);
}

void Instance::out_of_patience() {
  const auto self = shared_from_this();
  if (state_ == State::ending) {
    if (pidfd_) kill_process(pidfd_.get());  // one that was let go and did not
    return finish();
  }
  if (state_ == State::starting)
    fatal_ = Error{PoolErrc::fork_failed, "the instance did not come up within 30 s", {{"limit", "30s"}}};
  end(KillCause::stuck);
}

// --- Writing ---------------------------------------------------------------------------------------

/// One write for everything that this turn has to say.
void Instance::schedule_flush() {
  if (!write_waiting_) reactor_.at_turn_end(*this);
}

void Instance::flush() {
  meter_.turn_ended();
  if (state_ == State::ended || data_closed_) return;
  std::string_view rest = out_;
  bool broken = false;
  while (!rest.empty()) {
    const ssize_t sent = ::send(data_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    broken = sent < 0 && errno != EAGAIN;
    if (sent < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  out_.erase(0, out_.size() - rest.size());
  write_waiting_ = !out_.empty() && !broken;  // broken: reading learns of it
  wait_for(EPOLLIN | (write_waiting_ ? EPOLLOUT : 0U));
}

}  // namespace mayfly::pool
