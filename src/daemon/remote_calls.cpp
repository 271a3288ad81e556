#include "daemon/remote_calls.h"

#include <boost/asio/post.hpp>

namespace mayfly::daemon {

using pool::Invocation;

/// An invocation on its way to the shard that runs it.
struct RemoteCalls::Request {
  RemoteCalls* from = nullptr;
  Outgoing* sender = nullptr;  ///< of `from`
  std::uint32_t key = 0;
  std::array<char, 32> id{};
  MonotonicTime accepted{};
  MonotonicTime deadline{};
  bool event = false;
  bool https = false;
  bool body_complete = false;
  std::uint8_t depth = 0;
  std::size_t method = 0;  ///< lengths of the parts of `text`
  std::size_t target = 0;
  std::string text{};
  std::string headers{};
  std::string body{};
  pool::Chain chain{};
  pool::DeadlineOwner deadline_owner{};
};

/// What comes back.
struct RemoteCalls::Event {
  enum class Kind { response, body, credit, failure } kind = Kind::failure;
  std::uint32_t key = 0;
  bool end = false;
  unsigned status = 0;
  std::size_t bytes = 0;
  std::string headers{};
  std::string body{};
  Error error{};
  MonotonicTime started{};
  MonotonicTime answered{};
  nanoseconds start_cost{0};
};

template <class F>
void RemoteCalls::post(RemoteCalls& to, F&& f) {
  boost::asio::post(to.io_, std::forward<F>(f));
}

// --- The side that sends -----------------------------------------------------------------------------

/// Everything for one other shard.
class RemoteCalls::Outgoing final : public pool::Service, public pool::Runner {
 public:
  Outgoing(RemoteCalls& here, RemoteCalls& there) : here_(here), there_(there) {}

  void submit(Invocation& invocation) override {
    do ++last_key_;
    while (last_key_ == 0 || open_.contains(last_key_));
    const auto key = last_key_;
    open_.emplace(key, &invocation);
    invocation.state = Invocation::State::running;
    invocation.runner = this;
    invocation.stream = key;
    Request request{.from = &here_,
                    .sender = this,
                    .key = key,
                    .id = invocation.id,
                    .accepted = invocation.accepted,
                    .deadline = invocation.deadline,
                    .event = invocation.event,
                    .https = invocation.scheme == "https",
                    .body_complete = invocation.body_complete,
                    .depth = invocation.depth,
                    .method = invocation.method.size(),
                    .target = invocation.target.size()};
    request.text.reserve(invocation.method.size() + invocation.target.size() + invocation.remote.size());
    request.text.append(invocation.method).append(invocation.target).append(invocation.remote);
    request.headers = invocation.headers;
    request.body.swap(invocation.body);
    request.chain = invocation.chain;
    request.deadline_owner = invocation.deadline_owner;
    post(there_, [&there = there_, r = std::move(request)]() mutable { there.begin(std::move(r)); });
  }

  void cancel(Invocation& invocation) override { abandon(invocation, wire::AbortReason::client); }

  void abandon(Invocation& invocation, wire::AbortReason) override {
    const auto found = open_.find(invocation.stream);
    if (found == open_.end() || found->second != &invocation) return;
    forget(invocation);
    post(there_, [&there = there_, &here = here_, key = found->first] { there.abandon(here, key); });
    open_.erase(found);
  }

  void send_body(Invocation& invocation, std::string_view bytes, bool end) override {
    post(there_, [&there = there_, &here = here_, key = invocation.stream, part = std::string(bytes),
                  end]() mutable { there.take_body(here, key, std::move(part), end); });
  }

  void credit(Invocation& invocation, std::size_t bytes) override {
    post(there_, [&there = there_, &here = here_, key = invocation.stream, bytes] {
      there.take_credit(here, key, bytes);
    });
  }

  void on_event(Event event) {
    const auto found = open_.find(event.key);
    if (found == open_.end()) return;
    Invocation& invocation = *found->second;
    if (event.started != MonotonicTime{}) invocation.started = event.started;
    invocation.start_cost = event.start_cost;
    if (event.end) {
      invocation.answered = event.answered;
      open_.erase(found);
      forget(invocation);
    }
    auto& listener = *invocation.listener;
    switch (event.kind) {
      case Event::Kind::response:
        return listener.on_response(invocation, event.status, event.headers, event.body, event.end);
      case Event::Kind::body:
        return listener.on_body(invocation, event.body, event.end);
      case Event::Kind::credit:
        return listener.on_request_credit(invocation, event.bytes);
      case Event::Kind::failure:
        return listener.on_failure(invocation, std::move(event.error));
    }
  }

 private:
  static void forget(Invocation& invocation) {
    invocation.state = Invocation::State::idle;
    invocation.runner = nullptr;
    invocation.stream = 0;
  }

  RemoteCalls& here_;
  RemoteCalls& there_;
  std::uint32_t last_key_ = 0;
  std::unordered_map<std::uint32_t, Invocation*> open_;
};

// --- The side that runs them -------------------------------------------------------------------------

struct RemoteCalls::Guest final : pool::InvocationListener {
  Guest(RemoteCalls& h, Request& request)
      : host(h),
        from(*request.from),
        sender(*request.sender),
        key(request.key),
        text(std::move(request.text)) {
    const std::string_view all = text;
    invocation.id = request.id;
    invocation.accepted = request.accepted;
    invocation.deadline = request.deadline;
    invocation.event = request.event;
    invocation.method = all.substr(0, request.method);
    invocation.target = all.substr(request.method, request.target);
    invocation.remote = all.substr(request.method + request.target);
    invocation.scheme = request.https ? "https" : "http";
    invocation.headers = std::move(request.headers);
    invocation.body = std::move(request.body);
    invocation.body_complete = request.body_complete;
    invocation.depth = request.depth;
    invocation.chain = std::move(request.chain);
    invocation.deadline_owner = std::move(request.deadline_owner);
  }

  void on_response(Invocation&, unsigned status, std::string_view headers, std::string_view body,
                   bool last) override {
    tell({.kind = Event::Kind::response,
          .end = last,
          .status = status,
          .headers = std::string(headers),
          .body = std::string(body)});
  }
  void on_body(Invocation&, std::string_view body, bool last) override {
    tell({.kind = Event::Kind::body, .end = last, .body = std::string(body)});
  }
  void on_request_credit(Invocation&, std::size_t bytes) override {
    tell({.kind = Event::Kind::credit, .bytes = bytes});
  }
  void on_failure(Invocation&, Error error) override {
    tell({.kind = Event::Kind::failure, .end = true, .error = std::move(error)});
  }

  void tell(Event event) {
    const bool last = event.end;
    event.key = key;
    event.started = invocation.started;
    event.answered = invocation.answered;
    event.start_cost = invocation.start_cost;
    post(from, [&to = sender, e = std::move(event)]() mutable { to.on_event(std::move(e)); });
    if (last) host.end(*this);  // which destroys this
  }

  RemoteCalls& host;
  RemoteCalls& from;
  Outgoing& sender;  ///< of `from`, used on its thread only; lives as long as the shards
  const std::uint32_t key;
  const std::string text;
  pool::Service* service = nullptr;
  Invocation invocation{*this};
};

RemoteCalls::RemoteCalls(boost::asio::io_context& io, Find find) : io_(io), find_(std::move(find)) {}
RemoteCalls::~RemoteCalls() = default;

void RemoteCalls::connect(const std::vector<RemoteCalls*>& shards) {
  outgoing_.clear();
  for (RemoteCalls* shard : shards) outgoing_.push_back(std::make_unique<Outgoing>(*this, *shard));
}

pool::Service& RemoteCalls::service(unsigned shard) { return *outgoing_.at(shard); }

void RemoteCalls::stop() {
  const auto guests = std::move(guests_);
  guests_.clear();
  for (const auto& [key, guest] : guests)
    if (guest->invocation.state != Invocation::State::idle) guest->service->cancel(guest->invocation);
}

void RemoteCalls::begin(Request request) {
  const GuestKey key{request.from, request.key};
  auto service = find_(request.chain);
  auto made = std::make_unique<Guest>(*this, request);
  Guest& guest = *made;
  guests_.insert_or_assign(key, std::move(made));
  if (!service) return guest.on_failure(guest.invocation, std::move(service.error()));
  guest.service = *service;
  guest.service->submit(guest.invocation);
}

RemoteCalls::Guest* RemoteCalls::find(RemoteCalls& from, std::uint32_t key) {
  const auto found = guests_.find({&from, key});
  return found == guests_.end() ? nullptr : found->second.get();
}

void RemoteCalls::take_body(RemoteCalls& from, std::uint32_t key, std::string bytes, bool end) {
  Guest* guest = find(from, key);
  if (guest == nullptr) return;
  Invocation& invocation = guest->invocation;
  invocation.body_complete = end;
  if (invocation.state == Invocation::State::running)
    invocation.runner->send_body(invocation, bytes, end);
  else
    invocation.body.append(bytes);
}

void RemoteCalls::take_credit(RemoteCalls& from, std::uint32_t key, std::size_t bytes) {
  Guest* guest = find(from, key);
  if (guest != nullptr && guest->invocation.runner != nullptr)
    guest->invocation.runner->credit(guest->invocation, bytes);
}

void RemoteCalls::abandon(RemoteCalls& from, std::uint32_t key) {
  Guest* guest = find(from, key);
  if (guest == nullptr) return;
  if (guest->invocation.state != Invocation::State::idle) guest->service->cancel(guest->invocation);
  end(*guest);
}

void RemoteCalls::end(Guest& guest) {
  const auto found = guests_.find({&guest.from, guest.key});
  if (found == guests_.end()) return;
  const auto ended = std::move(found->second);
  guests_.erase(found);
}

}  // namespace mayfly::daemon
