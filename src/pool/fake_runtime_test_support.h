// A runtime inside the test: it answers fork requests as a runtime process and its templates do, and its
// instances speak the frames that a bridge speaks, all on the test's own event loop. Behind each instance
// stands a real process that sleeps, so that killing it is the real thing. Header only, used by tests alone.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/child.h"
#include "base/deadline_wheel.h"
#include "base/memory_file.h"
#include "base/reactor.h"
#include "pool/pool.h"
#include "wire/control.h"
#include "wire/frame.h"

namespace mayfly::pool {

inline int copy_of(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }

/// A shard's event loop, reactor and wheel, turned by the test.
class TestLoop {
 public:
  TestLoop() {
    reactor.wake = [this] { boost::asio::post(io, [this] { reactor.finish_turn(); }); };
    serve_ready();
  }

  Reactor reactor;  // outlives what the event loop still holds
  DeadlineWheel deadlines{std::chrono::steady_clock::now()};
  boost::asio::io_context io{1};
  SystemClock clock;
  Warmth warmth{clock, deadlines, {}};

  /// Turns until the condition holds; false when that does not happen within half a minute. Time passes while
  /// nothing is ready (or there is no end of it): on a machine under load a deadline does not overtake a
  /// frame that was sent before.
  template <class Condition>
  [[nodiscard]] bool until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    constexpr int kMany = 100;
    for (int ready = 0; !condition();) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      if ((io.poll_one() > 0 || io.run_one_for(milliseconds(2)) > 0) && ++ready < kMany) continue;
      ready = 0;
      deadlines.advance(std::chrono::steady_clock::now() + skipped_);
    }
    return true;
  }
  /// Turns until nothing is left to do at once. What is local is then done: there is no other thread.
  void settle() {
    do io.restart();
    while (io.poll() > 0);
  }
  /// From now on deadlines come earlier by this much: those that patience is measured by need not be waited
  /// for. Later ones neither: what another process does meanwhile (its death) may come after them.
  void skip(nanoseconds time) { skipped_ += time; }

 private:
  void serve_ready() {
    ready_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (error) return;
                        reactor.turn(1);
                        serve_ready();
                      });
  }

  boost::asio::posix::stream_descriptor ready_{io, copy_of(reactor.fd())};
  nanoseconds skipped_{0};
};

/// One instance as its bridge: what came from the daemon, and what to tell it.
class FakeInstance : public std::enable_shared_from_this<FakeInstance> {
 public:
  struct Got {
    wire::FrameType type{};
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    std::uint32_t aux = 0;
    std::string payload;  ///< of an invoke: the body's first part
    // Of an invoke.
    std::string id{}, method{}, target{}, headers{}, remote{};
    std::uint64_t deadline = 0;
    [[nodiscard]] bool ended() const { return (flags & wire::kEnd) != 0; }
  };

  FakeInstance(boost::asio::io_context& io, Fd data, Fd log)
      : log_(std::move(log)), data_(io, data.release()), pidfd_(io) {
    auto child = Child::start({.argv = {"/bin/sleep", "1000"}});
    if (child) child_ = std::move(*child);
    if (child_) pidfd_.assign(copy_of(child_.pidfd()));
  }

  std::deque<Got> got;                            ///< frames that no hook took, oldest first
  std::function<void(FakeInstance&, Got&)> hook;  ///< called with each frame instead of keeping it
  std::function<void(int wait_status)> report;    ///< tells the fork server's client that it has ended
  int answered = 0;                               ///< answers that it began
  bool dead = false;
  bool direct = false;                 ///< forked from the runtime process, not from a template
  std::optional<wire::Offers> offers;  ///< if it was born with a page of them
  [[nodiscard]] int pidfd() const { return child_.pidfd(); }
  [[nodiscard]] int pid() const { return child_.pid(); }

  /// The next invoke among what was got, with all before it taken off; its stream is 0 if there is none.
  Got take_invoke() {
    while (!got.empty()) {
      Got one = std::move(got.front());
      got.pop_front();
      if (one.type == wire::FrameType::invoke) return one;
    }
    return {};
  }

  void begin() {
    read();
    pidfd_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        if (!error && !self->dead) self->die(SIGKILL);
                      });
  }
  /// The first frame of a bridge: it serves.
  void serve() { usage(0, 0, 0); }
  void usage(nanoseconds cpu, nanoseconds busy, std::uint64_t completed, nanoseconds children = {}) {
    const std::array<std::uint64_t, 4> figures{static_cast<std::uint64_t>(cpu.count()),
                                               static_cast<std::uint64_t>(busy.count()), completed,
                                               static_cast<std::uint64_t>(children.count())};
    std::string payload(sizeof figures, '\0');
    std::memcpy(payload.data(), figures.data(), sizeof figures);
    send({wire::FrameType::usage, 0, 0, 0, payload});
  }
  void usage(int cpu, int busy, std::uint64_t completed) {
    usage(nanoseconds(cpu), nanoseconds(busy), completed);
  }
  /// An answer, or its beginning if `flags` lack kEnd.
  void respond(std::uint32_t stream, unsigned status, std::string_view headers, std::string_view body,
               std::uint8_t flags = wire::kEnd | wire::kDone) {
    std::string payload;
    wire::append_response_head(payload, headers);
    payload.append(body);
    ++answered;
    send({wire::FrameType::response, flags, stream, status, payload});
  }
  void body(std::uint32_t stream, std::string_view part, bool end = false) {
    send({wire::FrameType::body, end ? wire::kEnd : std::uint8_t{0}, stream, 0, part});
  }
  void tell(wire::FrameType type, std::uint32_t stream = 0, std::uint32_t aux = 0,
            std::string_view payload = {}) {
    send({type, 0, stream, aux, payload});
  }
  void send(const wire::Frame& frame) {
    wire::append_frame(out_, frame);
    if (out_.size() > 0 && !writing_) write();
  }
  /// Bytes that need not be a frame.
  void send_raw(std::string_view bytes) {
    out_.append(bytes);
    if (!writing_) write();
  }
  /// Ends, as if by itself, with what wait(2) would say.
  void die(int wait_status) {
    if (std::exchange(dead, true)) return;
    child_.kill(SIGKILL);
    boost::system::error_code ignored;
    pidfd_.cancel(ignored);
    if (!writing_) data_.close(ignored);  // else when all is written
    if (report) report(wait_status);
  }
  /// Dies with its template: nobody reports it.
  void vanish() {
    report = {};
    die(SIGKILL);
  }

 private:
  void read() {
    const auto [room, size] = decoder_.prepare();
    data_.async_read_some(boost::asio::buffer(room, size),
                          [self = shared_from_this()](const boost::system::error_code& error, std::size_t n) {
                            if (error || self->dead) return;
                            self->decoder_.commit(n);
                            for (;;) {
                              const auto frame = self->decoder_.next();
                              if (!frame || !*frame) break;
                              self->take(**frame);
                              if (self->dead) return;
                            }
                            self->read();
                          });
  }
  void take(const wire::Frame& frame) {
    Got one{frame.type, frame.flags, frame.stream, frame.aux, std::string(frame.payload)};
    if (frame.type == wire::FrameType::invoke) {
      std::string_view rest;
      if (const auto head = wire::parse_invoke_head(frame.payload, rest)) {
        one.id = head->invocation;
        one.method = head->method;
        one.target = head->target;
        one.headers = head->headers;
        one.remote = head->remote;
        one.deadline = head->deadline;
        one.payload = std::string(rest);
      }
    }
    if (hook)
      hook(*this, one);
    else
      got.push_back(std::move(one));
  }
  void write() {
    writing_ = true;
    auto part = std::make_shared<std::string>(std::exchange(out_, {}));
    data_.async_write_some(
        boost::asio::buffer(*part),
        [self = shared_from_this(), part](const boost::system::error_code& error, std::size_t n) {
          self->writing_ = false;
          self->out_.insert(0, part->substr(n));
          if (!error && !self->out_.empty()) return self->write();
          boost::system::error_code ignored;
          if (self->dead) self->data_.close(ignored);
        });
  }

  Fd log_;
  boost::asio::posix::stream_descriptor data_;
  boost::asio::posix::stream_descriptor pidfd_;
  Child child_;
  wire::FrameDecoder decoder_;
  std::string out_;
  bool writing_ = false;
};

/// Takes the place of a runtime process. What it does by itself is set by its fields; the rest the test does.
class FakeRuntime final : public tmpl::Forker {
 public:
  explicit FakeRuntime(boost::asio::io_context& io) : io_(io) {}
  ~FakeRuntime() override {
    for (const auto& instance : instances) instance->vanish();
    if (control_) close_control();
  }

  bool loads = true;  ///< templates are ready at once; else the test says template_says()
  bool tells = true;  ///< who asks for a template hears of its process at once; else when the test calls …
  std::function<void()> tell;  ///< … this
  bool serves = true;          ///< instances serve as soon as they are forked; else the test calls serve()
  int fork_errno = 0;          ///< not 0: no instance can be forked
  int failed_forks = 0;        ///< that this has failed
  std::string report{"{}"};    ///< what a template says when it is ready
  std::function<void(FakeInstance&, FakeInstance::Got&)> hook;  ///< for all instances, see there
  std::vector<std::string> payloads;                            ///< of all forks asked for, in order
  std::vector<std::string> files;                               ///< that the last of them had, and …
  bool offers = false;                                          ///< … whether it had a page of offers
  std::vector<std::shared_ptr<FakeInstance>> instances;         ///< all ever made, in order
  int templates = 0;                                            ///< ever asked for

  void fork(tmpl::Payload payload, Fd channel, Fd log, const boost::asio::any_io_executor&,
            tmpl::ChildHandlers handlers) override {
    payloads.push_back(payload.document ? read_all(payload.document.get()).value() : payload.json);
    files.clear();
    for (const auto& file : payload.files) files.push_back(read_all(file.get()).value());
    offers = static_cast<bool>(payload.offers);
    if (payloads.back().find("\"role\":\"template\"") == std::string::npos)
      return fork_direct(channel, log, handlers);
    ++templates;
    control_ = std::make_shared<boost::asio::posix::stream_descriptor>(io_, channel.release());
    template_ = Child();
    auto child = Child::start({.argv = {"/bin/sleep", "1000"}});
    if (child) template_ = std::move(*child);
    template_exited = [exited = handlers.exited](int status) { exited(status, nanoseconds(0)); };
    tell = [this, forked = handlers.forked] { forked(Fd(copy_of(template_.pidfd()))); };
    if (tells) boost::asio::post(io_, tell);
    if (loads) template_says(wire::ControlType::ready, report);
    serve_control(control_);
  }
  /// ready or failed, with its JSON.
  void template_says(wire::ControlType type, const std::string& json) {
    (void)wire::send_control(control_->native_handle(), type, 0, 0, json);
  }
  std::function<void(int wait_status)> template_exited;  ///< tells how the last of them ended
  /// The template's process dies, and its instances with it.
  void kill_template() {
    template_gone();
    close_control();
  }
  [[nodiscard]] bool template_alive() { return template_ && !template_.try_wait(); }
  [[nodiscard]] FakeInstance& last() { return *instances.back(); }
  /// Instances that were made and have not ended.
  [[nodiscard]] int alive() const {
    return static_cast<int>(std::ranges::count_if(instances, [](const auto& i) { return !i->dead; }));
  }

 private:
  using Control = std::shared_ptr<boost::asio::posix::stream_descriptor>;

  void serve_control(const Control& control) {
    control->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                        [this, control](const boost::system::error_code& error) {
                          // Closed: perhaps there is no runtime any more.
                          if (error || !control->is_open() || control != control_) return;
                          auto message = wire::receive_control(control->native_handle());
                          if (!message) {  // the daemon lets the template go, and its instances go with it
                            template_gone();
                            return;
                          }
                          if (*message) forked(control, **message);
                          serve_control(control);
                        });
  }
  void close_control() {
    boost::system::error_code ignored;
    control_->close(ignored);
    control_.reset();
  }
  void template_gone() {
    for (const auto& instance : instances)
      if (!instance->direct) instance->vanish();
  }
  void forked(const Control& control, wire::ControlMessage& message) {
    const auto token = message.token;
    payloads.push_back(message.payload);
    if (fork_errno != 0) {
      ++failed_forks;
      (void)wire::send_control(control->native_handle(), wire::ControlType::fork_failed, token,
                               static_cast<std::uint64_t>(fork_errno), "fork");
      return;
    }
    auto instance = make(std::move(message.fds.at(0)), std::move(message.fds.at(1)));
    if ((message.value & wire::fork_part::kOffers) != 0)
      instance->offers = wire::Offers::open(message.fds.back()).value();
    instance->report = [this, control, token](int status) {
      if (control == control_)
        (void)wire::send_control(control->native_handle(), wire::ControlType::exited, token,
                                 static_cast<std::uint64_t>(status), {});
    };
    (void)wire::send_control(control->native_handle(), wire::ControlType::forked, token,
                             static_cast<std::uint64_t>(instance->pid()), {}, {instance->pidfd()});
  }
  void fork_direct(Fd& channel, Fd& log, const tmpl::ChildHandlers& handlers) {
    auto instance = make(std::move(channel), std::move(log));
    instance->direct = true;
    boost::asio::post(io_, [instance, forked = handlers.forked] { forked(Fd(copy_of(instance->pidfd()))); });
    instance->report = [this, exited = handlers.exited](int status) {
      boost::asio::post(io_, [exited, status] { exited(status, nanoseconds(0)); });
    };
  }
  std::shared_ptr<FakeInstance> make(Fd data, Fd log) {
    auto instance = std::make_shared<FakeInstance>(io_, std::move(data), std::move(log));
    instance->hook = hook;
    instances.push_back(instance);
    instance->begin();
    if (serves) instance->serve();
    return instance;
  }

  boost::asio::io_context& io_;
  Control control_;
  Child template_;
};

/// Keeps what a pool says of failures, and drops its logs.
struct FakeLogs final : LogSink {
  struct Failed {
    std::string invocation;
    Error error;
  };
  void take(Fd socket, const registry::Version&, std::shared_ptr<LastWords> words) override {
    sockets.push_back(std::move(socket));
    last_words.push_back(std::move(words));
  }
  void failed(const registry::Version&, std::string_view invocation, const Error& error) override {
    failures.push_back({std::string(invocation), error});
  }
  std::vector<Fd> sockets;
  std::vector<std::shared_ptr<LastWords>> last_words;
  std::vector<Failed> failures;
};

/// An invocation and what its listener heard.
struct TestInvocation final : InvocationListener {
  /// A request with a body of its own, due in ten minutes.
  explicit TestInvocation(std::string_view name = "1", std::string sent = {}) {
    invocation.id.fill('0');
    std::ranges::copy(name, invocation.id.begin());
    invocation.method = "POST";
    invocation.target = "/";
    invocation.body = std::move(sent);
    invocation.accepted = std::chrono::steady_clock::now();
    invocation.deadline = invocation.accepted + std::chrono::minutes(10);
  }
  /// The platform must have forgotten it by then.
  ~TestInvocation() override {
    if (invocation.runner != nullptr) invocation.runner->abandon(invocation, wire::AbortReason::client);
  }
  void on_response(Invocation&, unsigned s, std::string_view h, std::string_view b, bool e) override {
    status = s;
    headers = h;
    on_body(invocation, b, e);
  }
  void on_body(Invocation&, std::string_view b, bool e) override {
    body += b;
    end(e);
  }
  void on_request_credit(Invocation&, std::size_t bytes) override { credit += bytes; }
  void on_failure(Invocation&, Error e) override {
    error = std::move(e);
    end(true);
  }
  void end(bool ends) {
    if (!ends) return;
    ++ended;
    if (at_end) std::exchange(at_end, {})();
  }

  Invocation invocation{*this};
  unsigned status = 0;
  std::string headers;
  std::string body;
  std::size_t credit = 0;
  std::optional<Error> error;
  int ended = 0;                 ///< how often it heard an end: 1 when all is well
  std::function<void()> at_end;  ///< called from inside of the call that ends it
};

/// Version 1 of "f".
inline std::shared_ptr<registry::Version> test_version() {
  auto version = std::make_shared<registry::Version>();
  version->function = "f";
  version->number = 1;
  version->digest = "d";
  version->root = "/nowhere";
  version->entry = "f.js";
  return version;
}

}  // namespace mayfly::pool
