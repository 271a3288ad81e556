// The executable as a process: its pipes, its end, and what it leaves behind.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/child.h"
#include "exec/lines.h"
#include "exec/loop.h"

namespace mayfly::exec {

/// A pipe whose one end is for a child; ours does not block.
struct Pipe {
  Fd ours;
  Fd theirs;
};
[[nodiscard]] Result<Pipe> pipe_to_child();
[[nodiscard]] Result<Pipe> pipe_from_child();

/// The descriptors of an executable: these, and the files that this process was born with (wire::kFirstFile).
[[nodiscard]] std::vector<ChildOptions::Descriptor> with_files(std::vector<ChildOptions::Descriptor> own);

/// "exit code 3", "SIGSEGV".
[[nodiscard]] std::string describe(const ExitStatus& status);

/// A stream of a child that goes to the log, line by line.
class LoggedStream {
 public:
  using Line = std::function<void(std::string_view text, std::size_t length)>;
  LoggedStream(Reactor& reactor, Line line) : watch_(reactor), lines_(std::move(line)) {}
  void open(Fd fd);
  /// Reads what is there and ends.
  void finish();
  [[nodiscard]] std::string tail() const { return lines_.tail(); }

 private:
  void read();

  Watch watch_;
  Lines lines_;
};

}  // namespace mayfly::exec
