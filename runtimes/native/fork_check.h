// Whether a template may be forked: what a fork does not copy (threads, processes), or what its copies would
// share (sockets, files that are written).
#pragma once

#include <set>
#include <string>
#include <vector>

namespace mayfly::native {

class ForkCheck {
 public:
  /// Remembers what is open before any user code has run.
  ForkCheck();
  /// Why this process must not be forked, in words for people; empty: nothing stands against it.
  [[nodiscard]] std::vector<std::string> reasons() const;

 private:
  std::set<int> known_;
};

}  // namespace mayfly::native
