// A pool's template: made, heard of, given up.
#include "pool/pool.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/dispatch.hpp>

#include "base/reap.h"
#include "pool/payload.h"
#include "pool/process_memory.h"
#include "pool/template_report.h"

namespace mayfly::pool {
namespace {

constexpr auto kBuildPatience = std::chrono::seconds(30);
/// So many deaths in a row of a process that loads the code: it is the code.
constexpr int kMaxBuildDeaths = 3;
/// From the end of such a process's socket until its runtime process has told how it ended.
constexpr milliseconds kStatusPatience{200};

}  // namespace

void Pool::prepare(std::function<void(const Result<void>&)> then) {
  if (ready()) return then({});
  waiting_for_template_.push_back(std::move(then));
  if (template_ != Template::building) build_template();
}

void Pool::build_template() {
  template_ = Template::building;
  ++builds_;
  template_closed_ = false;
  template_status_.reset();
  build_began_ = std::chrono::steady_clock::now();
  context_.deadlines.add(build_deadline_, build_began_ + kBuildPatience);
  if (context_.boxes == nullptr || network_) return fork_template();
  // It comes at once where one is in stock. The pool may have given up, or be gone, when it comes later.
  context_.boxes->network_for(
      *version_, [alive = alive_, this, build = builds_, executor = context_.executor](NetworkPtr network) {
        boost::asio::dispatch(executor, [alive, this, build, network = std::move(network)]() mutable {
          if (!*alive || template_ != Template::building || build != builds_) return;
          network_ = std::move(network);
          fork_template();
        });
      });
}

void Pool::fork_template() {
  auto control = socket_pair(SOCK_SEQPACKET);
  auto log = socket_pair(SOCK_SEQPACKET);
  if (!control || !log) return template_answer(fail(PoolErrc::fork_failed, "out of file descriptors"));
  template_words_ = std::make_shared<LastWords>();
  auto payload = boxed_payload("template");
  if (!payload) return template_answer(propagate(payload));
  context_.logs.take(std::move(log->ours), *version_, template_words_);

  // Handlers may come after this pool is gone.
  auto guarded = [alive = alive_, this](auto method) {
    return [alive, this, method](auto&&... arguments) {
      if (*alive) (this->*method)(std::forward<decltype(arguments)>(arguments)...);
    };
  };
  tmpl::ForkClient::Handlers handlers;
  handlers.ready = guarded(&Pool::on_template_ready);
  handlers.failed = guarded(&Pool::on_template_failed);
  handlers.closed = guarded(&Pool::on_template_closed);
  fork_client_ =
      std::make_shared<tmpl::ForkClient>(context_.executor, std::move(control->ours), std::move(handlers));
  fork_client_->start();

  tmpl::ChildHandlers child;
  // The runtime process may keep this for longer than there is the shard that the client belongs to.
  child.forked = [alive = alive_, this, client = std::weak_ptr(fork_client_)](Result<Fd> pidfd) {
    if (*alive && fork_client_ && fork_client_ == client.lock()) return on_template_forked(std::move(pidfd));
    if (pidfd) kill_process(pidfd->get());  // it may compute for ever, and would never hear that
  };
  child.exited = [alive = alive_, this, build = builds_](int status, nanoseconds) {
    if (*alive && build == builds_) on_template_exited(status);
  };
  context_.runtime.fork(std::move(*payload), std::move(control->theirs), std::move(log->theirs),
                        context_.executor, std::move(child));
}

void Pool::BuildDeadline::on_deadline() {
  if (pool.template_ != Template::building) return;
  if (pool.template_closed_) return pool.on_template_gone();
  if (pool.template_pidfd_) kill_process(pool.template_pidfd_.get());
  if (pool.fork_client_) pool.fork_client_->close();
  Error late{PoolErrc::template_failed, "the code did not finish loading within 30 s", {{"limit", "30s"}}};
  pool.template_answer(std::unexpected(std::move(late)));
}

void Pool::on_template_forked(Result<Fd> pidfd) {
  if (pidfd && !*pidfd)
    pidfd =
        fail(std::make_error_code(std::errc::too_many_files_open), "there is no descriptor for its process");
  if (!pidfd) {
    fork_client_->close();
    return template_answer(
        fail(PoolErrc::fork_failed, "no template could be made: " + pidfd.error().message));
  }
  template_pidfd_ = std::move(*pidfd);
  template_pid_ = pid_of(template_pidfd_.get());
  template_cpu_ = nanoseconds(0);
  loading_ = std::make_shared<Loading>(*this);
  guard();
  if (early_report_) on_template_ready(*std::exchange(early_report_, {}));
}

void Pool::Loading::end_because(const Error& why) {
  note_excess(why);
  pool.template_answer(std::unexpected(*excess));
}

void Pool::Loading::note_excess(const Error& why) {
  const auto limit = pool.version_->config.memory;
  if (!excess) excess = why.code == PoolErrc::out_of_memory ? loading_memory_error(limit, limit) : why;
}

Fd Pool::Loading::process() const { return Fd(::fcntl(pool.template_pidfd_.get(), F_DUPFD_CLOEXEC, 0)); }

void Pool::on_template_ready(const std::string& text) {
  if (template_ != Template::building) return;  // it has said so before
  // Its word can overtake that of the process it was forked from. It must be known before it forks: its
  // children are told by their parent.
  if (!template_pidfd_) {
    early_report_ = text;
    return;
  }
  loading_.reset();
  auto report = parse_ready(text);
  warnings_ = std::move(report.warnings);
  const bool unsafe = report.unsafe;
  serial_ = report.serial && !single_use();
  if (serial_)
    concurrency_ = wire::kMaxOffers;
  else if (!version_->config.concurrency && !single_use())
    concurrency_ = report.concurrency > 0 ? report.concurrency : kDefaultConcurrency;
  stats_->templates.add();
  meter_template(&meter::Usage::init_cpu_ns);
  template_memory_ = unsafe || !usage_ ? 0 : anonymous_memory(template_pid_);
  build_deaths_ = 0;
  template_ = Template::ready;
  if (unsafe) {  // cannot be forked: each instance loads the code itself
    template_ = Template::direct;
    if (template_pidfd_)
      kill_process(template_pidfd_.get());  // it may not end by itself, nor what it has started
    fork_client_->close();
    fork_client_.reset();
  }
  build_ended_ = std::chrono::steady_clock::now();
  if (!unsafe) account_.template_started(build_ended_ - build_began_);
  build_deadline_.cancel();
  auto waiting = std::exchange(waiting_for_template_, {});
  for (const auto& then : waiting) then({});
  listener_.on_capacity();
}

void Pool::on_template_failed(const std::string& text) {
  if (template_ != Template::building) return;
  fork_client_->close();
  template_answer(std::unexpected(parse_failed(text)));
}

/// The state of a pool without a template: `now` is none or failed. Its process may live on, whatever it has
/// said: nothing of it may outlast this.
void Pool::forget_template(Template now) {
  meter_template(template_ == Template::building ? &meter::Usage::init_cpu_ns : &meter::Usage::idle_cpu_ns);
  template_ = now;
  fork_client_.reset();
  if (template_pidfd_) kill_process(template_pidfd_.get());
  template_pidfd_.reset();
  template_pid_ = 0;
  early_report_.reset();
  loading_.reset();
  ahead_.reset();
}

/// Its socket has closed: its process ends, or does soon. How it ended while it loaded code is told by its
/// runtime process.
void Pool::on_template_closed() {
  if (template_ != Template::building || template_status_) return on_template_gone();
  template_closed_ = true;
  early_report_.reset();
  context_.deadlines.add(build_deadline_, std::chrono::steady_clock::now() + kStatusPatience);
}

void Pool::on_template_exited(int status) {
  template_status_ = status;
  if (template_ == Template::building && template_closed_) on_template_gone();
}

/// The template's process has died. Its instances die with it.
void Pool::on_template_gone() {
  const bool was_building = template_ == Template::building;
  const auto excess = loading_ ? loading_->excess : std::nullopt;
  forget_template(Template::none);  // first: what ends below may ask for new instances at once
  account_.template_gone();
  const auto instances = instances_;  // ended ones leave the set
  for (const auto& instance : instances) instance->on_parent_gone();
  if (!was_building) return listener_.on_retired(false);
  if (excess) return template_answer(std::unexpected(*excess));
  if (group_.take_memory_kill())
    return template_answer(
        std::unexpected(loading_memory_error(version_->config.memory, group_.memory_limit())));
  // Killed from outside, or with its runtime process: that says nothing of the code. Try again.
  if (++build_deaths_ < kMaxBuildDeaths) return build_template();
  auto words = template_words_->text();
  auto error =
      describe_loading_death({template_status_.value_or(-1), {}, words, version_->config.memory, false});
  if (!words.empty()) error.with("logs", std::move(words));
  template_answer(std::unexpected(std::move(error)));
}

/// The template could not be built.
void Pool::template_answer(const Result<void>& result) {
  forget_template(Template::failed);
  build_deaths_ = 0;
  account_.template_failed();
  build_deadline_.cancel();
  auto waiting = std::exchange(waiting_for_template_, {});
  for (const auto& then : waiting) then(result);
  listener_.on_unavailable(result.error());
}

bool Pool::end_template() {
  while (end_idle()) {
  }
  if (!close_template()) return false;
  account_.template_gone();
  return true;
}

bool Pool::close_template() {
  if (!instances_.empty() || !fork_client_ || template_ != Template::ready) return false;
  const int counted = leaving_counted();
  for (const auto& instance : leaving_) instance->disown();
  leaving_.clear();
  fork_client_->close();
  forget_template(Template::none);
  network_.reset();
  for (int i = 0; i < counted; ++i) listener_.on_retired(true);
  listener_.on_retired(false);
  return true;
}

/// Of a process that loads the code: forked from the runtime process, and confined before it does.
Result<tmpl::Payload> Pool::boxed_payload(std::string_view role) {
  auto payload = template_payload(role, *version_, context_.stores);
  if (!payload || context_.boxes == nullptr) return payload;
  auto box = context_.boxes->box_of(*version_, role == "template", network_);
  if (!box) return fail(PoolErrc::fork_failed, box.error().message);
  payload->box = std::move(*box);
  for (auto& join : group_.joins()) {
    payload->box->box.descriptors.push_back(sandbox::BoxDescriptor::cgroup);
    payload->box->descriptors.push_back(std::move(join));
  }
  payload->box->box.processes = group_.processes_without_group();
  return payload;
}

}  // namespace mayfly::pool
