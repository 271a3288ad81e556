// The tail of a serial instance: invocations that were sent to it and have not begun.
#include <algorithm>

#include "pool/instance.h"

namespace mayfly::pool {
namespace {

/// An invocation whose instances die before anything runs in them is not tried for ever.
constexpr int kMostLost = 3;

MonotonicTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

/// An invocation is about to be sent.
void Instance::note_given(Stream& stream) {
  const Invocation& invocation = *stream.invocation;
  stream.whole = invocation.body_complete;
  offers_->offer(stream.id);
  if (in_flight_ == 1) progress_ = invocation.started;
  if (!stream.whole) {  // it cannot be sent again, so it shares its instance with nobody
    shut_ = true;
    unlink();
  }
  if (in_flight_ > 1 && !tail_watch_.pending())
    deadlines_.add(tail_watch_, invocation.started + owner_.fork_price());
}

/// As the instance says it: any time at all.
MonotonicTime Instance::begun_at(const Stream& stream) const {
  return MonotonicTime{nanoseconds(static_cast<std::int64_t>(offers_->begun_at(stream.id)))};
}

/// The first sign of life of an invocation: from now on it is told when it began, and is not sent again.
void Instance::note_begun(Stream& stream) {
  if (!offers_ || stream.invocation == nullptr || stream.has_begun) return;
  stream.has_begun = true;
  (void)offers_->take_back(stream.id);  // also if it never claimed it
  Invocation& invocation = *stream.invocation;
  invocation.started = std::clamp(begun_at(stream), invocation.started, std::max(invocation.started, now()));
  invocation.body.clear();
  InstanceMeter::begun(stream.run, invocation);
}

/// True: it has not begun, and never will here.
bool Instance::take_back(Stream& stream) {
  // What has begun is not believed to have not, whatever the page says now.
  return offers_ && stream.whole && !stream.has_begun && stream.invocation != nullptr &&
         offers_->take_back(stream.id);
}

/// The one that has begun and is not done; null: none.
const Instance::Stream* Instance::running() const {
  const auto found = std::ranges::find_if(streams_, [this](const Stream& stream) {
    return stream.id != 0 && (stream.has_begun || !offers_->offered(stream.id));
  });
  return found == streams_.end() ? nullptr : &*found;
}

/// All that have not begun, the last to come first. Each must be detached and vacated.
std::vector<Instance::Stream*> Instance::take_back_tail() {
  std::vector<Stream*> tail;
  for (Stream& stream : streams_)
    if (stream.id != 0 && take_back(stream)) tail.push_back(&stream);
  std::ranges::sort(tail, std::greater{}, [](const Stream* stream) { return stream->invocation->accepted; });
  return tail;
}

/// Who has not begun goes elsewhere; nobody comes until what runs is done. When nothing runs, until the
/// instance has shown that it still reacts.
void Instance::clear_tail() {
  shut_ = true;  // first: each slot that becomes free below is an occasion to give it somebody
  unlink();
  const auto tail = take_back_tail();
  for (Stream* stream : tail) owner_.on_taken_back(*detach(*stream));
  for (Stream* stream : tail) vacate(*stream);
  if (!tail.empty()) meter_.take_back(in_flight_, pid(), now());
  if (in_flight_ > 0 || state_ != State::serving) return;
  shut_ = false;
  ping();
  deadlines_.add(patience_, now() + kPingPatience);
}

void Instance::watch_tail() {
  const auto self = shared_from_this();
  if (in_flight_ <= 1 || state_ != State::serving) return;
  MonotonicTime since = progress_;
  if (const Stream* stream = running()) since = std::clamp(begun_at(*stream), since, std::max(since, now()));
  const auto due = since + owner_.fork_price();
  if (due > now())
    deadlines_.add(tail_watch_, due);
  else
    clear_tail();
}

/// Its deadline came before its turn.
void Instance::overdue_unbegun(Stream& stream) {
  Invocation& invocation = *detach(stream);
  invocation.started = now();
  const Error error = owner_.on_overdue(invocation);
  book_unbegun(invocation, meter::Outcome::timed_out);
  vacate(stream);
  if (running() == nullptr) clear_tail();
  invocation.listener->on_failure(invocation, error);
}

/// The process is gone.
void Instance::return_tail(const Error& why) {
  const bool ran = running() != nullptr;
  for (Stream* stream : take_back_tail()) {
    Invocation& invocation = *detach(*stream);
    vacate(*stream);
    if (ran || ++invocation.lost < kMostLost) {
      owner_.on_taken_back(invocation);
      continue;
    }
    meter_.book_unbegun(invocation, meter::Outcome::failed);
    owner_.on_failure(invocation.id_text(), why);
    invocation.listener->on_failure(invocation, why);
  }
}

}  // namespace mayfly::pool
