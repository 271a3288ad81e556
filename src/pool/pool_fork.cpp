// A pool's instances: the request for a fork, and again where there was no room for a process.
#include <unistd.h>

#include "base/reap.h"
#include "pool/pool.h"

namespace mayfly::pool {
namespace {

/// An instance that makes processes without end takes the room of its version's control group, for its
/// template, too. LimitWatch ends it within this time.
constexpr nanoseconds kForkPause = LimitWatch::kInterval;
constexpr unsigned kForkAttempts = 40;

}  // namespace

/// Of the template, or (as where a test stands for the template) of this process, to whose children no
/// function has a descriptor.
bool Pool::is_born_here(int pidfd) const {
  const auto parent = parent_of(pidfd);
  return parent && (*parent == 0 || *parent == template_pid() || *parent == ::getpid());
}

void Pool::ask_for_fork(const std::shared_ptr<Instance>& instance, Belongings& its) {
  auto start = std::make_shared<Start>(
      Start{instance, std::move(its.payload), std::move(its.data.theirs), std::move(its.log.theirs)});
  if (template_ == Template::direct)
    fork_direct(*start);
  else
    fork_instance(std::move(start));
}

/// A process that loads the code itself: of the runtime process, which is in no function's control group.
void Pool::fork_direct(Start& start) {
  tmpl::ChildHandlers child;
  child.forked = [alive = alive_, instance = start.instance](Result<Fd> pidfd) {
    if (pidfd)
      instance->on_forked(std::move(*pidfd));  // which kills it when nobody wants it any more
    else if (*alive)
      instance->on_fork_failed(pidfd.error());
  };
  child.exited = [alive = alive_, instance = start.instance](int status, nanoseconds cpu) {
    if (*alive) instance->on_exited(status, cpu);
  };
  context_.runtime.fork(std::move(start.payload), std::move(start.data), std::move(start.log),
                        context_.executor, std::move(child));
}

void Pool::fork_instance(std::shared_ptr<Start> start) {
  tmpl::ChildHandlers child;
  child.forked = [alive = alive_, this, start](Result<Fd> pidfd) {
    const auto instance = start->instance;
    if (!pidfd && *alive && fork_later(start, pidfd.error())) return;
    start->data.reset();
    start->log.reset();
    // A template names its child by a descriptor: what is not its child is not killed in that name.
    if (pidfd && !(*alive && is_born_here(pidfd->get())))
      pidfd = fail(PoolErrc::protocol_violation, "the template named a process that is not its child");
    if (pidfd)
      instance->on_forked(std::move(*pidfd));
    else if (*alive)
      instance->on_fork_failed(pidfd.error());
  };
  child.exited = [alive = alive_, instance = start->instance](int status, nanoseconds cpu) {
    if (*alive) instance->on_exited(status, cpu);
  };
  fork_client_->fork(start->payload, start->data.get(), start->log.get(), std::move(child));
}

bool Pool::fork_later(const std::shared_ptr<Start>& start, const Error& why) {
  if (why.code != std::errc::resource_unavailable_try_again || ++start->attempts > kForkAttempts)
    return false;
  late_forks_.waiting.push_back(start);
  if (!late_forks_.pending())
    context_.deadlines.add(late_forks_, std::chrono::steady_clock::now() + kForkPause);
  return true;
}

void Pool::LateForks::on_deadline() {
  for (auto& start : std::exchange(waiting, {})) {
    const auto instance = start->instance;
    if (instance->state() == Instance::State::starting && pool.fork_client_)
      pool.fork_instance(std::move(start));
    else
      instance->on_fork_failed(Error{PoolErrc::fork_failed, "it is not wanted any more", {}});
  }
}

}  // namespace mayfly::pool
