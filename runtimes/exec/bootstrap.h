// A function that was built for one of Lambda's custom runtimes, as a process.
#pragma once

#include <functional>
#include <string>

#include "exec/configuration.h"
#include "exec/process.h"

namespace mayfly::exec {

class Bootstrap {
 public:
  struct Handlers {
    /// A line of its output.
    std::function<void(std::string_view text, std::size_t length)> line;
    /// It has ended, and all its output has been given.
    std::function<void(const ExitStatus&)> ended;
  };
  Bootstrap(Loop& loop, Handlers handlers);

  /// `api`: where its Runtime API is, "address:port".
  [[nodiscard]] Result<void> start(const Configuration& configuration, const std::string& api);
  /// The last of what it wrote: standard error, or else standard output.
  [[nodiscard]] std::string last_words() const;
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  void on_exit();

  Handlers handlers_;
  Child child_;
  Watch exit_;
  LoggedStream output_;
  LoggedStream errors_;
};

/// The environment that Lambda gives to a custom runtime.
[[nodiscard]] std::vector<std::string> bootstrap_environment(const Configuration& configuration,
                                                             const std::string& api);

}  // namespace mayfly::exec
