#include "template/runtime_process.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

#include "base/child.h"
#include "base/reap.h"
#include "sandbox/launch.h"

namespace mayfly::tmpl {
namespace asio = boost::asio;
namespace {

constexpr milliseconds kFirstBackoff{50};
constexpr milliseconds kLongestBackoff{1'000};
constexpr auto kForkPatience = std::chrono::seconds(5);
constexpr std::size_t kKeptOutput = 4096;
/// So many forks are under way at once: the process makes one after another, and its socket holds a few
/// requests only.
constexpr std::size_t kMostAsked = 32;
constexpr std::size_t kMostWaiting = 1'000;

/// Handlers that do their work on another executor.
ChildHandlers on_executor(const asio::any_io_executor& executor, ChildHandlers handlers) {
  auto shared = std::make_shared<ChildHandlers>(std::move(handlers));
  ChildHandlers moved;
  moved.forked = [executor, shared](Result<Fd> pidfd) {
    // std::function wants copies, a descriptor has none: it travels in a shared holder.
    auto holder = std::make_shared<Result<Fd>>(std::move(pidfd));
    asio::post(executor, [shared, holder] {
      if (shared->forked) shared->forked(std::move(*holder));
    });
  };
  moved.exited = [executor, shared](int status, nanoseconds cpu) {
    asio::post(executor, [shared, status, cpu] {
      if (shared->exited) shared->exited(status, cpu);
    });
  };
  return moved;
}

/// What sending to a process that has died answers.
bool means_gone(const std::error_code& code) {
  return code == std::errc::broken_pipe || code == std::errc::connection_reset;
}

std::string in_words(int wait_status) {
  if (WIFSIGNALED(wait_status)) return ExitStatus{ExitStatus::How::signalled, WTERMSIG(wait_status)}.text();
  return ExitStatus{ExitStatus::How::exited, WEXITSTATUS(wait_status)}.text();
}

/// What sending to a process answers that has not read what it was sent before.
bool means_full(const std::error_code& code) { return code == std::errc::resource_unavailable_try_again; }

}  // namespace

RuntimeProcess::RuntimeProcess(asio::io_context& control, RuntimeSpec spec, RuntimeEvents events)
    : control_(control), spec_(std::move(spec)), events_(std::move(events)), restart_(control) {}

RuntimeProcess::~RuntimeProcess() {
  if (pidfd_) reap();
}

void RuntimeProcess::start() { launch(); }

void RuntimeProcess::launch() {
  started_ = std::chrono::steady_clock::now();
  auto control = socket_pair(SOCK_SEQPACKET);
  auto output = socket_pair(SOCK_STREAM);
  if (!control || !output) return on_closed();
  sandbox::LaunchOptions options;
  options.argv = spec_.argv;
  options.environment = spec_.environment;
  options.control = control->theirs.get();
  options.output = output->theirs.get();
  auto launched = sandbox::launch(options);
  if (!launched) {
    events_.log("runtime " + spec_.name + ": " + launched.error().message);
    return on_closed();
  }
  pidfd_ = std::move(launched->pidfd);
  pid_ = launched->pid;
  own_pid_namespace_ = launched->own_pid_namespace;

  output_ = std::make_unique<asio::posix::stream_descriptor>(control_, output->ours.release());
  output_buffer_.resize(kKeptOutput);
  read_output();
  ForkClient::Handlers handlers;
  handlers.closed = [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->on_closed();
  };
  client_ =
      std::make_shared<ForkClient>(control_.get_executor(), std::move(control->ours), std::move(handlers));
  client_->start();
  asked_ = children_ = 0;
  auto waiting = std::exchange(waiting_, {});
  for (auto& request : waiting) fork_here(std::move(request));
}

void RuntimeProcess::read_output() {
  output_->async_read_some(
      asio::buffer(output_buffer_),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t got) {
        if (error) return;
        self->last_output_.append(self->output_buffer_, 0, got);
        if (self->last_output_.size() > kKeptOutput)
          self->last_output_.erase(0, self->last_output_.size() - kKeptOutput);
        self->read_output();
      });
}

std::optional<int> RuntimeProcess::reap() {
  kill_process(pidfd_.get());
  const auto status = wait_for_exit(pidfd_.get());
  pidfd_.reset();
  pid_ = 0;
  return status;
}

void RuntimeProcess::close_output() {
  if (!output_) return;
  // Its last words may have come together with its end, and not been read yet.
  boost::system::error_code error;
  output_->non_blocking(true, error);
  while (!error && last_output_.size() < kKeptOutput) {
    const auto got = output_->read_some(asio::buffer(output_buffer_), error);
    last_output_.append(output_buffer_, 0, got);
  }
  output_->close(error);
}

void RuntimeProcess::on_closed() {
  client_.reset();
  std::optional<int> status;
  if (pidfd_) status = reap();
  close_output();
  if (stopping_) return;
  const auto how = status ? " (" + in_words(*status) + ")" : "";
  ended_ = how + (last_output_.empty() ? "" : ": " + last_output_);
  const bool lived_long = std::chrono::steady_clock::now() - started_ > std::chrono::seconds(2);
  backoff_ = lived_long ? milliseconds(0) : std::min(std::max(backoff_ * 2, kFirstBackoff), kLongestBackoff);
  give_up_old();
  // One that cannot even start, for a deployment that was refused for it.
  const bool in_vain = !lived_long && !needed_ && waiting_.empty() && asked_ == 0;
  events_.log("runtime process " + spec_.name + " ended" + how +
              (in_vain ? "; nobody needs it" : "; starting it again") +
              ". Its last words: " + (last_output_.empty() ? "(none)" : last_output_));
  last_output_.clear();
  if (in_vain) {
    resting_ = true;
    return;
  }
  ++restarts_;
  restart_.expires_after(backoff_);
  restart_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->stopping_) self->launch();
  });
}

void RuntimeProcess::stop() {
  stopping_ = true;
  restart_.cancel();
  waiting_.clear();
  if (client_) client_->close();
  client_.reset();
  if (pidfd_) reap();
  close_output();
}

void RuntimeProcess::fork(Payload payload, Fd channel, Fd log, const asio::any_io_executor& executor,
                          ChildHandlers handlers) {
  // std::move_only_function is not there yet: the descriptors travel in a shared holder.
  auto request = std::make_shared<Waiting>(Waiting{std::move(payload), std::move(channel), std::move(log),
                                                   on_executor(executor, std::move(handlers)),
                                                   std::chrono::steady_clock::now() + kForkPatience});
  asio::post(control_, [self = shared_from_this(), request] { self->fork_here(std::move(*request)); });
}

void RuntimeProcess::tend(bool needed, MonotonicTime now) {
  needed_ = needed;
  if (needed)
    unused_since_.reset();
  else if (!unused_since_)
    unused_since_ = now;
  else if (now - *unused_since_ >= kUnusedPatience)
    rest();
}

/// Nothing hangs on it: no child, no request for one.
void RuntimeProcess::rest() {
  if (!client_ || children_ > 0 || asked_ > 0 || !waiting_.empty()) return;
  resting_ = true;
  client_->close();
  client_.reset();
  if (pidfd_) reap();
  close_output();
}

void RuntimeProcess::fork_here(Waiting request) {
  if (!stopping_ && resting_.exchange(false)) {
    unused_since_.reset();
    launch();
  }
  if (!client_ || asked_ >= kMostAsked) return wait(std::move(request));
  ++asked_;
  auto asked = std::make_shared<Waiting>(std::move(request));
  ChildHandlers child;
  // Copies: the request may have to be made again.
  child.exited = [weak = weak_from_this(), exited = asked->handlers.exited,
                  client = std::weak_ptr<ForkClient>(client_)](int status, nanoseconds cpu) {
    const auto self = weak.lock();
    const auto its = client.lock();
    if (self && its && its == self->client_) --self->children_;
    exited(status, cpu);
  };
  child.forked = [weak = weak_from_this(), asked,
                  client = std::weak_ptr<ForkClient>(client_)](Result<Fd> pidfd) {
    const auto self = weak.lock();
    if (!self) return asked->handlers.forked(std::move(pidfd));
    const auto its = client.lock();
    self->on_forked(std::move(*asked), std::move(pidfd), its != nullptr && its == self->client_);
  };
  client_->fork(asked->payload, asked->channel.get(), asked->log.get(), std::move(child));
}

/// `current`: by the process that runs now.
void RuntimeProcess::on_forked(Waiting request, Result<Fd> pidfd, bool current) {
  if (current) --asked_;
  if (current && pidfd) ++children_;
  if (!pidfd && means_gone(pidfd.error().code)) {
    // It had died already, which is about to be noticed, or was: the next one does it.
    return current ? wait(std::move(request)) : fork_here(std::move(request));
  }
  if (!pidfd && current && asked_ > 0 && means_full(pidfd.error().code))
    return waiting_.push_front(std::move(request));  // until one of those that it has is done
  request.handlers.forked(std::move(pidfd));
  while (client_ && asked_ < kMostAsked && !waiting_.empty()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    fork_here(std::move(next));
  }
}

/// For a restart, or for a turn.
void RuntimeProcess::wait(Waiting request) {
  if (stopping_ || waiting_.size() >= kMostWaiting)
    request.handlers.forked(
        fail(std::make_error_code(std::errc::resource_unavailable_try_again),
             "the runtime process " + spec_.name + (client_ ? " has too much to do" : " is not running")));
  else
    waiting_.push_back(std::move(request));
  if (!client_) give_up_old();
}

void RuntimeProcess::give_up_old() {
  std::erase_if(waiting_, [this](Waiting& old) {
    if (old.until > std::chrono::steady_clock::now()) return false;
    old.handlers.forked(fail(std::make_error_code(std::errc::timed_out),
                             "the runtime process " + spec_.name + " does not start" + ended_));
    return true;
  });
}

}  // namespace mayfly::tmpl
