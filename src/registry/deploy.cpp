#include "registry/deploy.h"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <utility>

#include "registry/build.h"
#include "registry/config_choices.h"
#include "registry/name.h"
#include "registry/warnings.h"

namespace mayfly::registry {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

/// A blocking call as a coroutine, to be spawned on the thread pool.
template <class Work>
auto as_job(Work work) -> awaitable<decltype(work())> {
  co_return work();
}

/// Something that will happen on the control thread, and those who wait for it there.
struct Event {
  explicit Event(const asio::any_io_executor& executor)
      : timer(executor, asio::steady_timer::time_point::max()) {}
  void set() {
    happened = true;
    timer.cancel();
  }
  asio::steady_timer timer;
  bool happened = false;
};

awaitable<void> wait_for(std::shared_ptr<Event> event) {
  boost::system::error_code ignored;
  if (!event->happened) co_await event->timer.async_wait(asio::redirect_error(use_awaitable, ignored));
}

Version candidate_of(const std::string& name, Registry& registry, const Built& built) {
  Version version;
  version.function = name;
  version.number = registry.next_number(name);
  version.digest = built.digest;
  version.runtime = built.runtime;
  version.root = registry.sources().path(built.source.digest());
  for (const auto& layer : built.layers) version.layers.push_back(registry.layers().path(layer.digest()));
  version.entry = built.entry;
  version.config = built.config;
  version.created = registry.clock().wall();
  return version;
}

VersionPtr newest_of(const FunctionPtr& function) {
  return function ? function->versions.rbegin()->second : nullptr;
}

/// Nobody opens what was closed by leaving something out. To be said: what keeps it closed, or that it is
/// meant.
Result<void> check_access(const VersionPtr& before, const Built& built, const std::vector<Change>& changes) {
  const bool opens = before && before->config.access != Access::everyone &&
                     built.config.access == Access::everyone && !built.says_access;
  if (!opens) return {};
  std::string keep;
  for (const auto& change : changes)
    if (change.key == "access" || change.key.starts_with("jwt."))
      for (const auto& setting : change.keep) keep += (keep.empty() ? "" : "\n") + setting;
  auto error = fail(RegistryErrc::opens_access,
                    before->address() + " has access = \"" + name_of(kAccess, before->config.access) +
                        "\", and this deployment does not say who may call it: everyone could. Give it the "
                        "access that it had, or say access = \"public\"");
  error.error().with("key", "access").with("keep", keep);
  return error;
}

/// To people a function and an upstream are different things, and neither takes the other's place by its
/// name.
Result<void> check_kind(const VersionPtr& before, const Built& built) {
  const bool was = before && before->runtime == Runtime::upstream;
  const bool is = built.runtime == Runtime::upstream;
  if (!before || was == is) return {};
  const auto& name = before->function;
  const std::string kept = was ? "an upstream" : "a function";
  auto error =
      fail(RegistryErrc::other_kind, "'" + name + "' is " + kept + " (" + before->address() +
                                         " serves), and this is " + (is ? "an upstream" : "a function") +
                                         ". Give it another name, or delete '" + name + "' first");
  error.error().with("serves", before->address());
  return error;
}

/// Decorators may come later, so it is no error.
void warn_of_missing_decorators(const Registry& registry, const std::vector<std::string>& wrap,
                                std::vector<std::string>& warnings) {
  for (const auto& name : wrap)
    if (!registry.find(name))
      warnings.push_back("wrap: there is no function '" + name + "' yet, and without it every request fails");
}

}  // namespace

/// Deploys of one function that wait. It exists while one of them is at work.
struct Deployer::Queue {
  std::deque<std::weak_ptr<Event>> waiting;
};

/// The right to deploy one function. Its end gives it to the next that waits.
class Deployer::Turn {
 public:
  Turn(const Deployer& deployer, std::string name) : queues_(deployer.queues_), name_(std::move(name)) {}
  ~Turn() {
    auto& waiting = queues_->at(name_)->waiting;
    while (!waiting.empty()) {
      const auto next = waiting.front().lock();
      waiting.pop_front();
      if (!next) continue;
      next->set();
      return;
    }
    queues_->erase(name_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::shared_ptr<std::map<std::string, std::unique_ptr<Queue>>> queues_;
  std::string name_;
};

Deployer::Deployer(asio::any_io_executor control, Registry& registry, Platform& platform,
                   DeployOptions options)
    : control_(std::move(control)),
      registry_(registry),
      platform_(platform),
      options_(std::move(options)),
      queues_(std::make_shared<std::map<std::string, std::unique_ptr<Queue>>>()),
      pool_(options_.threads) {
  options_.stop = stop_.get_token();
}

Deployer::~Deployer() { stop_.request_stop(); }

awaitable<bool> Deployer::wait_for_turn(std::string name) {
  auto& queue = (*queues_)[name];
  if (!queue) {
    queue = std::make_unique<Queue>();
    co_return true;
  }
  auto turn = std::make_shared<Event>(control_);
  queue->waiting.push_back(turn);
  co_await wait_for(turn);
  co_return turn->happened;  // false: cancelled, and nobody is to hand a turn to this one
}

awaitable<Result<Deployed>> Deployer::deploy(DeployRequest request) {
  if (auto named = check_function_name(request.name); !named) co_return propagate(named);
  const auto owned = std::make_shared<const DeployRequest>(std::move(request));
  const bool in_turn = co_await wait_for_turn(owned->name);
  if (!in_turn) {
    co_return std::unexpected(
        Error{std::make_error_code(std::errc::operation_canceled), "the deploy was cancelled", {}});
  }
  const Turn turn(*this, owned->name);
  co_return co_await deploy_in_turn(owned);
}

awaitable<Result<Deployed>> Deployer::deploy_in_turn(std::shared_ptr<const DeployRequest> request) {
  auto work = [request, sources = registry_.sources(), layers = registry_.layers(), options = options_] {
    return build(*request, sources, layers, options);
  };
  auto job = as_job(std::move(work));
  auto built = co_await asio::co_spawn(pool_.get_executor(), std::move(job), use_awaitable);
  if (!built) co_return propagate(built);

  warn_of_missing_decorators(registry_, built->config.wrap, built->warnings);
  const auto before = registry_.version(request->name, "").value_or(nullptr);
  auto origin_before = registry_.origin(request->name);
  auto changes = before ? changes_between(before->config, built->config) : std::vector<Change>();
  auto ready = check_kind(before, *built);
  if (ready) ready = check_access(before, *built, changes);
  const auto newest = newest_of(registry_.find(request->name));
  if (ready && newest && newest->digest == built->digest) {
    auto kept = keep_newest(newest, request->keep_traffic);
    if (!kept) co_return kept;
    kept->warnings = std::move(built->warnings);
    kept->before = before;
    kept->origin_before = std::move(origin_before);
    kept->changes = std::move(changes);
    co_return kept;
  }
  const std::string source = built->source.digest();
  const auto candidate = std::make_shared<const Version>(candidate_of(request->name, registry_, *built));
  for (auto& warning : platform_.warnings_of(*candidate)) built->warnings.push_back(std::move(warning));
  if (ready) ready = co_await prepare_and_sync(candidate, source);
  Result<FunctionPtr> added;
  if (ready) added = registry_.add(candidate, request->keep_traffic, request->origin);
  if (!ready || !added) {
    built->source = SourceStore::Pin();
    registry_.discard(source, candidate->layers);
    co_return with_warnings(ready ? added.error() : ready.error(), built->warnings);
  }
  asio::post(pool_, [trash = registry_.collect()] {});
  Deployed deployed;
  deployed.version = candidate;
  deployed.function = std::move(*added);
  deployed.warnings = std::move(built->warnings);
  deployed.origin_before = std::move(origin_before);
  deployed.before = before;
  deployed.changes = std::move(changes);
  co_return deployed;
}

/// The template is built while the disk is busy: the version is neither known to anyone nor
/// acknowledged before both are done.
awaitable<Result<void>> Deployer::prepare_and_sync(VersionPtr candidate, std::string source) {
  struct Sync : Event {
    using Event::Event;
    Result<void> result;
  };
  auto sync = std::make_shared<Sync>(control_);
  auto work = [sources = registry_.sources(), source] { return sources.sync(source); };
  auto finished = [sync](const std::exception_ptr& thrown, Result<void> result) {
    sync->result = thrown ? Result<void>(fail_errno("sync the source", EIO)) : std::move(result);
    sync->set();
  };
  asio::co_spawn(pool_.get_executor(), as_job(std::move(work)),
                 asio::bind_executor(control_, std::move(finished)));
  Result<void> prepared;
  std::exception_ptr thrown;
  try {
    prepared = co_await platform_.prepare(candidate);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await wait_for(sync);
  if (thrown) std::rethrow_exception(thrown);
  if (!prepared) co_return prepared;
  co_return std::move(sync->result);
}

Result<Deployed> Deployer::keep_newest(const VersionPtr& newest, bool keep_traffic) {
  auto function = registry_.get(newest->function);
  if (!function) return propagate(function);
  const bool serves_all =
      (*function)->traffic.weights.size() == 1 && (*function)->traffic.weights.contains(newest->number);
  if (!keep_traffic && !serves_all) function = registry_.rollback(newest->function, newest->number);
  if (!function) return propagate(function);
  return Deployed{newest, std::move(*function), true, {}, {}, {}, {}};
}

}  // namespace mayfly::registry
