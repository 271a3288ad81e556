// Whether a process may be forked, by what it has open and has started: no socket, no file opened for
// writing, no process.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace mayfly::bridge {

class Descriptors {
 public:
  /// What is open now is the runtime's own: call it in a child before any user code.
  void remember();
  /// Why not to fork now, in words for people; empty when nothing stands against it.
  [[nodiscard]] std::vector<std::string> reasons() const;

 private:
  std::set<int> known_;
};

/// The threads of this process, by /proc/self/task; 1 where there is no /proc.
[[nodiscard]] int thread_count();

}  // namespace mayfly::bridge
