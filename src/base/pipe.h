// A pipe.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"

namespace mayfly {

struct Pipe {
  Fd read;
  Fd write;
};

/// Close-on-exec. Inline, and without an allocation unless it fails: for what runs after a fork, too.
[[nodiscard]] inline Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// `ours` reads, and does not wait.
[[nodiscard]] inline Result<FdPair> output_pipe() {
  auto pipe = make_pipe();
  if (!pipe) return propagate(pipe);
  if (::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl O_NONBLOCK");
  return FdPair{std::move(pipe->read), std::move(pipe->write)};
}

}  // namespace mayfly
