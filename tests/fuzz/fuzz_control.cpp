// Control messages: a template runs a user's code, so what comes from it is anybody's.
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/fd.h"
#include "wire/control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<int, 2> ends{};
  if (size == 0 || size > mayfly::wire::kMaxControl) return 0;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) std::abort();
  const mayfly::Fd near(ends[0]);
  const mayfly::Fd far(ends[1]);
  if (::send(near.get(), data, size, 0) != static_cast<ssize_t>(size)) return 0;
  auto message = mayfly::wire::receive_control(far.get());
  if (!message) return 0;
  if (!*message || !(*message)->fds.empty()) std::abort();  // something was there, and no descriptor
  const auto& got = **message;
  if (!mayfly::wire::send_control(near.get(), got.type, got.token, got.value, got.payload)) std::abort();
  auto again = mayfly::wire::receive_control(far.get());
  if (!again || !*again || (*again)->payload != got.payload || (*again)->token != got.token) std::abort();
  return 0;
}
