#include "daemon/upstreams.h"

#include <boost/asio/post.hpp>
#include <mutex>
#include <optional>

#include "base/text.h"
#include "daemon/upstream_request.h"

namespace mayfly::daemon {

using pool::Invocation;

namespace {

/// The client's own bound is a little behind the deadline, which has more to say.
constexpr std::chrono::milliseconds kBehind{1'000};

MonotonicTime now() { return std::chrono::steady_clock::now(); }

/// The URL is not the caller's: it did nothing wrong.
Error as_upstreams(Error error) {
  if (error.code == outbound::OutboundErrc::address_not_allowed)
    error.code = outbound::OutboundErrc::unreachable;
  return error;
}

}  // namespace

/// One request. Heard on the client's thread; what is heard lies in a box until the shard's thread takes it,
/// so that an answer that is there at once is told at once.
class Upstreams::Exchange final : public outbound::Listener,
                                  public std::enable_shared_from_this<Exchange>,
                                  private DeadlineEntry {
 public:
  Exchange(Upstreams& upstreams, Invocation& invocation, std::uint32_t key)
      : upstreams_(upstreams),
        executor_(upstreams.executor_),
        version_(invocation.chain.links->at(invocation.chain.at)),
        invocation_(&invocation),
        key_(key) {}

  // --- On the shard's thread ---

  void begin() {
    auto request = upstream_request(*invocation_, version_->config.upstream);
    request.body.swap(invocation_->body);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(invocation_->deadline - now());
    request.timeout = std::max(left, std::chrono::milliseconds(0)) + kBehind;
    upstreams_.deadlines_.add(*this, invocation_->deadline);
    id_ = upstreams_.client_->start(std::move(request), shared_from_this());
  }
  void send(std::string_view bytes, bool end) { upstreams_.client_->send(id_, std::string(bytes), end); }
  void take(std::size_t bytes) { upstreams_.client_->take(id_, bytes); }
  /// Nobody is told anything any more.
  Invocation& let_go() {
    DeadlineEntry::cancel();
    auto& invocation = *std::exchange(invocation_, nullptr);
    invocation.state = Invocation::State::idle;
    invocation.runner = nullptr;
    invocation.stream = 0;
    return invocation;
  }
  /// The loop has ended, and with it whoever waited.
  void drop() {
    DeadlineEntry::cancel();
    invocation_ = nullptr;
  }
  void cancel() {
    ++outcomes().cancelled;
    let_go();
    upstreams_.client_->cancel(id_);
  }

  // --- On the client's thread ---

  void on_head(unsigned status, std::string fields) override {
    put([&](Box& box) {
      box.status = status;
      box.fields = std::move(fields);
    });
  }
  bool on_body(std::string_view bytes) override {
    put([&](Box& box) { box.body.append(bytes); });
    return true;
  }
  void on_sent(std::size_t bytes) override {
    put([&](Box& box) { box.sent += bytes; });
  }
  void on_end(Result<void> result) override {
    put([&](Box& box) { box.end = std::move(result); });
  }

 private:
  /// What was heard and not told yet.
  struct Box {
    unsigned status = 0;  ///< 0: no head
    std::string fields{};
    std::string body{};
    std::size_t sent = 0;
    std::optional<Result<void>> end{};
  };

  template <class Put>
  void put(Put what) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      what(box_);
      first = !std::exchange(posted_, true);
    }
    if (first) boost::asio::post(executor_, [self = shared_from_this()] { self->tell(); });
  }

  void tell() {
    Box box;
    {
      const std::lock_guard lock(mutex_);
      std::swap(box, box_);
      posted_ = false;
    }
    if (invocation_ == nullptr) return;
    const bool good = box.end && box.end->has_value();
    if (box.status != 0) tell_head(box, good);
    if (invocation_ != nullptr && box.status == 0 && (!box.body.empty() || good)) tell_body(box, good);
    if (invocation_ != nullptr && box.sent > 0)
      invocation_->listener->on_request_credit(*invocation_, box.sent);
    if (invocation_ != nullptr && box.end && !good) fail(as_upstreams(std::move(box.end->error())));
  }
  [[nodiscard]] Outcomes& outcomes() { return upstreams_.outcomes_[version_->function]; }
  Invocation& answered() {
    ++outcomes().answered;
    return ended();
  }
  void tell_head(const Box& box, bool end) {
    Invocation& invocation = end ? answered() : *invocation_;
    invocation.listener->on_response(invocation, box.status, end_to_end_fields(box.fields), box.body, end);
  }
  void tell_body(const Box& box, bool end) {
    Invocation& invocation = end ? answered() : *invocation_;
    invocation.listener->on_body(invocation, box.body, end);
  }
  void fail(Error error) {
    auto& count = outcomes();
    ++(error.code == outbound::OutboundErrc::timed_out ? count.timed_out : count.failed);
    upstreams_.logs_.failed(*version_, invocation_->id_text(), error);
    Invocation& invocation = ended();
    invocation.listener->on_failure(invocation, std::move(error));
  }
  Invocation& ended() {
    Invocation& invocation = let_go();
    invocation.answered = now();
    upstreams_.forget(key_);  // whoever calls holds this
    return invocation;
  }
  void on_deadline() override {
    const auto self = shared_from_this();
    upstreams_.client_->cancel(id_);
    const auto& owner = invocation_->deadline_owner;
    const auto limit = format_duration(owner.limit);
    Error error{outbound::OutboundErrc::timed_out,
                "deadline " + limit + " of " + owner.function + ": the upstream did not answer in time",
                {}};
    error.with("limit", limit);
    fail(std::move(error));
  }

  Upstreams& upstreams_;
  const boost::asio::any_io_executor executor_;
  const registry::VersionPtr version_;
  Invocation* invocation_;  // null: nobody waits
  const std::uint32_t key_;
  outbound::Client::Id id_ = 0;
  std::mutex mutex_;
  Box box_{};
  bool posted_ = false;
};

Upstreams::Upstreams(boost::asio::any_io_executor executor, DeadlineWheel& deadlines,
                     outbound::Client* client, pool::LogSink& logs)
    : executor_(std::move(executor)), deadlines_(deadlines), client_(client), logs_(logs) {}

Upstreams::~Upstreams() {
  for (const auto& [key, exchange] : open_) exchange->drop();
}

void Upstreams::submit(Invocation& invocation) {
  if (client_ == nullptr)
    return invocation.listener->on_failure(
        invocation, Error{outbound::OutboundErrc::stopped, "no upstream is asked here", {}});
  do ++last_key_;
  while (last_key_ == 0 || open_.contains(last_key_));
  invocation.state = Invocation::State::running;
  invocation.runner = this;
  invocation.stream = last_key_;
  invocation.started = now();
  const auto exchange = std::make_shared<Exchange>(*this, invocation, last_key_);
  open_.emplace(last_key_, exchange);
  exchange->begin();
}

Upstreams::Exchange* Upstreams::find(const Invocation& invocation) {
  const auto found = open_.find(invocation.stream);
  return found == open_.end() ? nullptr : found->second.get();
}

Upstreams::Outcomes Upstreams::outcomes(const std::string& name) const {
  const auto found = outcomes_.find(name);
  return found == outcomes_.end() ? Outcomes{} : found->second;
}

void Upstreams::forget(std::uint32_t key) { open_.erase(key); }

void Upstreams::cancel(Invocation& invocation) { abandon(invocation, wire::AbortReason::client); }

void Upstreams::abandon(Invocation& invocation, wire::AbortReason) {
  const auto found = open_.find(invocation.stream);
  if (found == open_.end()) return;
  const auto exchange = std::move(found->second);
  open_.erase(found);
  exchange->cancel();
}

void Upstreams::send_body(Invocation& invocation, std::string_view bytes, bool end) {
  if (auto* const exchange = find(invocation)) exchange->send(bytes, end);
}

void Upstreams::credit(Invocation& invocation, std::size_t bytes) {
  if (auto* const exchange = find(invocation)) exchange->take(bytes);
}

}  // namespace mayfly::daemon
