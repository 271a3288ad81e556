// The runtime processes of a daemon: one for each runtime and interpreter, started when a function first
// needs it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/tools.h"
#include "registry/function.h"
#include "template/runtime_process.h"

namespace mayfly::daemon {

class Runtimes {
 public:
  struct Options {
    std::string node;    ///< as find_node() takes it
    std::string python;  ///< as find_python() takes it
    /// Folders with what functions and their builds have made: no interpreter is taken from there.
    std::vector<std::filesystem::path> untrusted{};
  };
  /// One runtime process, for people.
  struct State {
    std::string name;  ///< "node", "python", "native", "exec"
    std::string interpreter;
    std::string version;
    int pid = 0;  ///< 0: not running
    unsigned restarts = 0;
    bool pid_namespace = false;
  };

  /// Interpreters are looked for at first use. stop() must be called before the io_context goes.
  Runtimes(boost::asio::io_context& control, const Options& options);
  Runtimes(const Runtimes&) = delete;
  Runtimes& operator=(const Runtimes&) = delete;

  /// Where templates of a version come from; lives as long as this. While there is no such runtime here,
  /// what it is asked for fails with the reason. Any thread.
  tmpl::Forker& of(registry::Runtime runtime, const registry::FunctionConfig& config);

  /// What runs a function of this runtime and configuration; an empty path for native and exec. Error: it is
  /// not there, or may not be used. Any thread; may block for what an interpreter takes to start.
  [[nodiscard]] Result<Interpreter> interpreter(registry::Runtime runtime,
                                                const registry::FunctionConfig& config) const;

  /// Of those that were started. Any thread.
  [[nodiscard]] std::vector<State> states() const;
  /// Whether all that were started run. Any thread.
  [[nodiscard]] bool up() const;
  /// Ends what none of these versions has needed for a while: an interpreter that a mayfly.toml named once.
  /// Node stays. On the control thread, now and then.
  void tend(const std::vector<registry::VersionPtr>& versions, MonotonicTime now);
  /// On the control thread, once.
  void stop();

 private:
  struct Running {
    Interpreter interpreter;
    std::shared_ptr<tmpl::RuntimeProcess> process;
  };

  boost::asio::io_context& control_;
  std::vector<std::filesystem::path> untrusted_;
  SystemClock clock_;
  mutable LookedFor node_;
  mutable LookedFor python_;
  struct Key {
    registry::Runtime runtime;
    std::string interpreter;  // its path
    bool packages = true;
    auto operator<=>(const Key&) const = default;
  };
  [[nodiscard]] Key key_of(registry::Runtime runtime, const registry::FunctionConfig& config) const;

  mutable std::mutex mutex_;  // of what follows; no request takes it
  std::map<Key, Running> running_;
  std::map<Key, std::unique_ptr<tmpl::Forker>> missing_;  // by what a configuration names
};

}  // namespace mayfly::daemon
