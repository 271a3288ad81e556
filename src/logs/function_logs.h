// Logs of functions: read from instances, kept on disk, given to whoever follows them. On a thread of its
// own, so that a flood of lines costs no request anything.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "logs/log_file.h"
#include "pool/pool.h"

namespace mayfly::logs {

/// A failure of one invocation, instance or template, for `describe`.
struct Failure {
  WallTime time;
  std::uint32_t version = 0;
  std::string invocation;
  Error error;
  std::vector<std::string> last_lines;  ///< what that invocation logged at the end
};

/// A function may write `log_rate` bytes a second on the average, and at once as much as in eight seconds,
/// but not less than this; what is beyond is counted, and a line says how much it was.
inline constexpr std::uint64_t kLeastBurst = 64U << 10U;

/// take() and failed() come from the shards, the rest from the control thread.
class FunctionLogs final : public pool::LogSink {
 public:
  /// Gets every new line; false: forget it. `last`: the function is gone, and says so in this line.
  using Follower = std::function<bool(const std::string& line, bool last)>;

  explicit FunctionLogs(std::filesystem::path folder, std::uint64_t least_burst = kLeastBurst);
  ~FunctionLogs() override;

  void take(Fd socket, const registry::Version& version,
            std::shared_ptr<pool::LastWords> last_words) override;
  void failed(const registry::Version& version, std::string_view invocation, const Error& error) override;

  /// The newest lines, with all that was written before this call, oldest first, and from then on all others
  /// to `follower` (if there is one), none left out and none twice. `invocation`: those of one alone, by its
  /// id or by how that ends; empty: of all. `then` is called on the log thread.
  void read(const std::string& function, std::size_t most, const std::string& invocation, Follower follower,
            std::function<void(std::vector<std::string>)> then);
  /// The newest failures, newest first.
  [[nodiscard]] std::vector<Failure> failures(const std::string& function) const;
  /// The function was deleted. Who follows its log gets a last line.
  void forget(const std::string& function);

 private:
  struct Log;
  struct Line;
  class Source;
  Log& log(const std::string& function);
  void set_rate(Log& log, std::uint64_t rate) const;
  void write(Log& log, const Line& line);
  void report_dropped(Log& log);
  void report_dropped_later();
  void leave(const std::string& function, Source* source);
  void catch_up(const std::string& function);
  bool within_budget(Log& log, std::uint32_t version, std::size_t bytes);

  std::filesystem::path folder_;
  const std::uint64_t least_burst_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::map<std::string, std::unique_ptr<Log>> logs_;  // log thread only
  std::map<std::string, std::set<Source*>> sources_;  // … this one, too: those that are read from
  std::string packet_;                                // … this one, too
  mutable std::mutex failures_mutex_;
  std::map<std::string, std::vector<Failure>> failures_;  // newest last
  boost::asio::steady_timer report_timer_{io_};
  bool report_is_due_ = false;
  std::thread thread_;
};

}  // namespace mayfly::logs
