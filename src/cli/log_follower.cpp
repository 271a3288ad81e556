#include "cli/log_follower.h"

#include <nlohmann/json.hpp>

#include "cli/log_view.h"

namespace mayfly::cli {

LogFollower::LogFollower(const DaemonClient& client, const std::string& function, const std::string& label,
                         Output& output)
    : connection_(client.url()) {
  thread_ = std::thread(
      [this, &client, &output, target = function_target(function, "/logs?tail=0&follow=1"), label] {
        const auto print = [&](std::string_view line) {
          const auto prefix = label.empty() ? "" : output.paint(Style::bold, label) + " ";
          output.line(prefix + show_log_line(line, output));
          return true;
        };
        // That the daemon ended is seen, and said, by who deploys to it.
        static_cast<void>(client.lines({.target = target}, print, connection_));
        ended_ = true;
      });
}

LogFollower::~LogFollower() {
  connection_.cancel();
  thread_.join();
}

}  // namespace mayfly::cli
