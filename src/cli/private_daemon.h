// A daemon for the time of one `mayfly dev`.
#pragma once

#include <memory>

#include "base/child.h"
#include "base/temp_folder.h"
#include "cli/verb.h"

namespace mayfly::cli {

/// `mayfly serve` of this same binary on free ports, with a data folder of its own. Ends, and its data
/// folder with it, when its owner does, and when the thread that started it ends.
class PrivateDaemon {
 public:
  /// Comes back when it is ready. An error holds what it said.
  [[nodiscard]] static Result<std::unique_ptr<PrivateDaemon>> start();
  ~PrivateDaemon();
  PrivateDaemon(const PrivateDaemon&) = delete;
  PrivateDaemon& operator=(const PrivateDaemon&) = delete;

  [[nodiscard]] Connection connection() const;
  /// Readable when it has ended.
  [[nodiscard]] int pidfd() const { return child_.pidfd(); }
  /// The end of what it has printed.
  [[nodiscard]] std::string last_words() const;

 private:
  PrivateDaemon() = default;
  [[nodiscard]] Result<void> wait_until_ready();

  TempFolder folder_;
  std::string admin_url_;
  Child child_;  // after folder_: it ends before its folder does
};

}  // namespace mayfly::cli
