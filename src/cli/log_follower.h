// The log of a function, printed as it is written, by a thread of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "cli/daemon_client.h"

namespace mayfly::cli {

/// Prints from now on until it is destroyed or the daemon ends. `client` and `output` outlive it.
class LogFollower {
 public:
  /// `label` is put before each line, unless it is empty.
  LogFollower(const DaemonClient& client, const std::string& function, const std::string& label,
              Output& output);
  ~LogFollower();
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  /// Nothing more will come: the daemon ended it.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  HttpClient connection_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace mayfly::cli
