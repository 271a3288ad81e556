#include "exec/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/pipe.h"
#include "wire/control.h"

namespace mayfly::exec {
namespace {

Result<Pipe> make_pipe(bool to_child) {
  auto made = mayfly::make_pipe();
  if (!made) return propagate(made);
  Pipe pipe = to_child ? Pipe{std::move(made->write), std::move(made->read)}
                       : Pipe{std::move(made->read), std::move(made->write)};
  if (::fcntl(pipe.ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl O_NONBLOCK");
  return pipe;
}

}  // namespace

Result<Pipe> pipe_to_child() { return make_pipe(true); }
Result<Pipe> pipe_from_child() { return make_pipe(false); }

std::vector<ChildOptions::Descriptor> with_files(std::vector<ChildOptions::Descriptor> own) {
  // They have no close-on-exec, unlike whatever else this process may have opened there.
  for (int file = wire::kFirstFile; ::fcntl(file, F_GETFD) == 0; ++file) own.push_back({file, file});
  return own;
}

std::string describe(const ExitStatus& status) {
  if (status.how == ExitStatus::How::exited) return "exit code " + std::to_string(status.value);
  const char* name = ::sigabbrev_np(status.value);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(status.value);
}

void LoggedStream::open(Fd fd) {
  watch_.open(std::move(fd), EPOLLIN, [this] { read(); });
}

void LoggedStream::read() {
  std::array<char, 16384> buffer;
  // Bounded: who floods its log must leave the others their turn.
  for (int reads = 0; reads < 8; ++reads) {
    const ssize_t got = ::read(watch_.fd(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return watch_.close();
    lines_.take({buffer.data(), static_cast<std::size_t>(got)});
  }
}

void LoggedStream::finish() {
  if (watch_.is_open()) read();
  watch_.close();
  lines_.finish();
}

}  // namespace mayfly::exec
