// A runtime process as the daemon sees it: started once, started again when it dies, asked for
// templates.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "template/fork_client.h"

namespace mayfly::tmpl {

/// How to start one runtime.
struct RuntimeSpec {
  std::string name;                      ///< "node"
  std::vector<std::string> argv;         ///< the executable's path first
  std::vector<std::string> environment;  ///< "NAME=value"
};

/// What happened to a runtime process, for logs and describe.
struct RuntimeEvents {
  std::function<void(const std::string& what)> log;
};

/// Where children without a template come from: a runtime process, or what a test puts in its place.
class Forker {
 public:
  virtual ~Forker() = default;
  /// Fork a child with `payload`. The handlers are called on `executor`. May be called from any thread.
  virtual void fork(Payload payload, Fd channel, Fd log, const boost::asio::any_io_executor& executor,
                    ChildHandlers handlers) = 0;
};

/// Lives on the control thread's io_context; fork() may be called from any thread.
class RuntimeProcess final : public Forker, public std::enable_shared_from_this<RuntimeProcess> {
 public:
  RuntimeProcess(boost::asio::io_context& control, RuntimeSpec spec, RuntimeEvents events);
  ~RuntimeProcess() override;
  RuntimeProcess(const RuntimeProcess&) = delete;
  RuntimeProcess& operator=(const RuntimeProcess&) = delete;

  /// Starts the process. Must be called on the thread that lives as long as the daemon does.
  void start();
  /// Ends it, and with it all its templates and instances.
  void stop();
  /// Called now and then, on the control thread: whether any version may need this runtime. One that none has
  /// needed for kUnusedPatience, and that has no child, ends until it is asked for a child again; so does one
  /// that none needs and that ends as soon as it is started.
  void tend(bool needed, MonotonicTime now);
  static constexpr std::chrono::minutes kUnusedPatience{5};
  /// If the process is just being restarted, the request waits for that, up to five seconds; if many are
  /// under way, for its turn.
  void fork(Payload payload, Fd channel, Fd log, const boost::asio::any_io_executor& executor,
            ChildHandlers handlers) override;

  /// 0 while it does not run. Any thread.
  [[nodiscard]] int pid() const { return pid_.load(); }
  /// Whether it has ended since nobody needs it.
  [[nodiscard]] bool resting() const { return resting_.load(); }
  [[nodiscard]] unsigned restarts() const { return restarts_.load(); }
  [[nodiscard]] bool own_pid_namespace() const { return own_pid_namespace_.load(); }
  [[nodiscard]] const std::string& name() const { return spec_.name; }

 private:
  struct Waiting {
    Payload payload;
    Fd channel;
    Fd log;
    ChildHandlers handlers;
    MonotonicTime until;
  };
  void launch();
  void fork_here(Waiting request);
  void on_forked(Waiting request, Result<Fd> pidfd, bool current);
  void wait(Waiting request);
  void give_up_old();
  void rest();
  void read_output();
  void on_closed();
  /// Ends the process; its wait status.
  std::optional<int> reap();
  void close_output();

  boost::asio::io_context& control_;
  RuntimeSpec spec_;
  RuntimeEvents events_;
  std::shared_ptr<ForkClient> client_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> output_;
  std::string output_buffer_;
  std::string last_output_;
  std::string ended_;  // how the last process ended, and its last words
  Fd pidfd_;
  std::deque<Waiting> waiting_;
  std::size_t children_ = 0;  // of the process that runs now
  std::optional<MonotonicTime> unused_since_;
  std::size_t asked_ = 0;  // forks that the process was asked for and has not answered
  boost::asio::steady_timer restart_;
  milliseconds backoff_{0};
  MonotonicTime started_{};
  bool stopping_ = false;
  bool needed_ = false;
  std::atomic<bool> resting_{false};
  std::atomic<int> pid_{0};
  std::atomic<unsigned> restarts_{0};
  std::atomic<bool> own_pid_namespace_{false};
};

}  // namespace mayfly::tmpl
