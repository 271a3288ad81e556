// Whether a process is safe to fork: no thread but those that the runtime itself keeps idle, no socket,
// no file opened for writing.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bridge/descriptors.h"

namespace mayfly::node {

class ForkCheck {
 public:
  /// What a process has before any user code: call it before a fork and in the child after it. Threads
  /// are remembered the first time only.
  void remember_baseline();
  /// Why not to fork now, in words for people; empty when nothing stands against it.
  [[nodiscard]] std::vector<std::string> reasons() const;

 private:
  bridge::Descriptors descriptors_;
  std::set<void*> thread_routines_;
  bool remembered_ = false;
};

}  // namespace mayfly::node
