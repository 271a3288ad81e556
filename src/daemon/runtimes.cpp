#include "daemon/runtimes.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <set>

#include "registry/config_choices.h"

namespace mayfly::daemon {
namespace {

using registry::Runtime;

/// In the place of a runtime that is not here; once it is, that does what this is asked for.
class Missing final : public tmpl::Forker {
 public:
  /// `find`: the error says why it is not here.
  explicit Missing(std::function<Result<tmpl::Forker*>()> find) : find_(std::move(find)) {}
  void fork(tmpl::Payload payload, Fd channel, Fd log, const boost::asio::any_io_executor& executor,
            tmpl::ChildHandlers handlers) override {
    const auto found = find_();
    if (found)
      return (*found)->fork(std::move(payload), std::move(channel), std::move(log), executor,
                            std::move(handlers));
    boost::asio::post(executor, [why = found.error(), forked = std::move(handlers.forked)] {
      if (forked) forked(std::unexpected(why));
    });
  }

 private:
  std::function<Result<tmpl::Forker*>()> find_;
};

/// What a runtime process needs of the daemon's environment, and no more: it may hold secrets.
std::vector<std::string> environment(std::vector<std::string> more) {
  more.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  for (const char* name : {"TZ", "LANG", "LC_ALL"})
    if (const char* value = std::getenv(name)) more.push_back(std::string(name) + "=" + value);
  return more;
}

tmpl::RuntimeSpec node_spec(const std::string& node) {
  const auto folder = executable_folder() / "runtimes/node";
  // Forking needs the first two, small instances the third (docs/adr). Children run what the template has
  // compiled: it must not be thrown away, and program text in large pages needs no page faults in each.
  return {"node",
          {node, "--single-threaded", "--v8-pool-size=0", "--no-memory-reducer", "--expose-gc",
           "--no-flush-bytecode", "--use-largepages=silent", "--enable-source-maps",
           (folder / "js/boot.js").string()},
          environment({"LD_PRELOAD=" + (folder / "mayfly-preload.so").string(),
                       "MAYFLY_NODE_ADDON=" + (folder / "mayfly.node").string(), "UV_USE_IO_URING=0",
                       "LD_BIND_NOW=1", "MALLOC_ARENA_MAX=1"})};
}

tmpl::RuntimeSpec python_spec(const Interpreter& python) {
  const auto folder = executable_folder() / "runtimes/python";
  std::vector<std::string> argv{python.path, "-E", "-s", "-B"};
  if (!python.packages) argv.emplace_back("-S");
  argv.push_back((folder / "py/boot.py").string());
  return {"python", std::move(argv),
          environment({"MAYFLY_PYTHON_EXTENSION=" + (folder / "mayfly_bridge.abi3.so").string(),
                       "LD_BIND_NOW=1", "MALLOC_ARENA_MAX=1"})};
}

tmpl::RuntimeSpec own_spec(const std::string& name) {
  const auto program = executable_folder() / "runtimes" / name / ("mayfly-" + name);
  return {name, {program.string()}, environment({"LD_BIND_NOW=1", "MALLOC_ARENA_MAX=1"})};
}

tmpl::RuntimeSpec spec_of(Runtime runtime, const Interpreter& interpreter) {
  switch (runtime) {
    case Runtime::node:
      return node_spec(interpreter.path);
    case Runtime::python:
      return python_spec(interpreter);
    case Runtime::native:
    case Runtime::exec:
    case Runtime::upstream:  // nobody asks: there is nothing to run
      break;
  }
  return own_spec(registry::name_of(registry::kRuntimes, runtime));
}

}  // namespace

Runtimes::Runtimes(boost::asio::io_context& control, const Options& options)
    : control_(control),
      untrusted_(options.untrusted),
      node_([wanted = options.node] { return find_node(wanted); }, clock_),
      python_([wanted = options.python] { return find_python(wanted); }, clock_) {}

Result<Interpreter> Runtimes::interpreter(Runtime runtime, const registry::FunctionConfig& config) const {
  if (runtime != Runtime::node && runtime != Runtime::python) return Interpreter{};
  if (config.interpreter.empty()) return (runtime == Runtime::node ? node_ : python_).get();
  if (auto checked = check_interpreter(runtime, config.interpreter, untrusted_); !checked)
    return propagate(checked);
  // As it was named: a virtual environment is known by the path of its interpreter.
  return Interpreter{.path = config.interpreter, .version = ""};
}

tmpl::Forker& Runtimes::of(Runtime runtime, const registry::FunctionConfig& config) {
  auto found = interpreter(runtime, config);
  const std::lock_guard lock(mutex_);
  if (!found) {
    auto& missing = missing_[{runtime, config.interpreter}];
    if (!missing)
      missing = std::make_unique<Missing>([this, runtime, config]() -> Result<tmpl::Forker*> {
        if (auto now = interpreter(runtime, config); !now) return propagate(now);
        return &of(runtime, config);
      });
    return *missing;
  }
  auto& running = running_[{runtime, found->path, found->packages}];
  if (!running.process) {
    running.interpreter = *found;
    running.process = std::make_shared<tmpl::RuntimeProcess>(
        control_, spec_of(runtime, *found),
        tmpl::RuntimeEvents{[](const std::string& what) { spdlog::warn("{}", what); }});
    boost::asio::post(control_, [process = running.process] { process->start(); });
  }
  return *running.process;
}

/// What its runtime process is kept by, whether or not the interpreter is still there.
Runtimes::Key Runtimes::key_of(Runtime runtime, const registry::FunctionConfig& config) const {
  if (runtime != Runtime::node && runtime != Runtime::python) return {runtime, ""};
  if (!config.interpreter.empty()) return {runtime, config.interpreter};
  const auto found = (runtime == Runtime::node ? node_ : python_).get();
  return found ? Key{runtime, found->path, found->packages} : Key{runtime, ""};
}

void Runtimes::tend(const std::vector<registry::VersionPtr>& versions, MonotonicTime now) {
  std::set<Key> needed{key_of(Runtime::node, {})};
  for (const auto& version : versions) needed.insert(key_of(version->runtime, version->config));
  const std::lock_guard lock(mutex_);
  for (auto& [key, running] : running_) running.process->tend(needed.contains(key), now);
}

std::vector<Runtimes::State> Runtimes::states() const {
  const std::lock_guard lock(mutex_);
  std::vector<State> states;
  for (const auto& [key, running] : running_)
    if (!running.process->resting())
      states.push_back({running.process->name(), running.interpreter.path, running.interpreter.version,
                        running.process->pid(), running.process->restarts(),
                        running.process->own_pid_namespace()});
  return states;
}

bool Runtimes::up() const {
  return std::ranges::all_of(states(), [](const State& state) { return state.pid != 0; });
}

void Runtimes::stop() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, running] : running_) running.process->stop();
}

}  // namespace mayfly::daemon
