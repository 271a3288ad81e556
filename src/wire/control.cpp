#include "wire/control.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "wire/frame.h"

namespace mayfly::wire {
namespace {

constexpr std::size_t kMaxFds = kMaxParts + kMaxFiles;

struct Header {
  std::uint8_t version;
  std::uint8_t type;
  std::uint16_t fds;
  std::uint32_t reserved;
  std::uint64_t token;
  std::uint64_t value;
};
static_assert(sizeof(Header) == 24);

/// Takes ownership of every descriptor of a received message.
std::vector<Fd> take_fds(msghdr& message) {
  std::vector<Fd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

Result<void> send_control(int socket, ControlType type, std::uint64_t token, std::uint64_t value,
                          std::string_view payload, const std::vector<int>& fds) {
  if (payload.size() + sizeof(Header) > kMaxControl || fds.size() > kMaxFds)
    return fail(WireErrc::frame_too_large, "a control message is longer than 160 KiB, or has too many files");
  Header header{kVersion, static_cast<std::uint8_t>(type), static_cast<std::uint16_t>(fds.size()), 0, token,
                value};
  std::array<iovec, 2> parts{iovec{&header, sizeof header},
                             iovec{const_cast<char*>(payload.data()), payload.size()}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (!fds.empty()) {
    message.msg_control = ancillary.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
    if (errno != EINTR) return fail_errno("send to fork server");
  }
}

Result<std::optional<ControlMessage>> receive_control(int socket) {
  static thread_local std::unique_ptr<char[]> buffer(new char[kMaxControl]);
  iovec part{buffer.get(), kMaxControl};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = ancillary.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN) return std::nullopt;
    return fail_errno("receive from fork server");
  }
  auto fds = take_fds(message);
  if (got == 0) return fail(std::make_error_code(std::errc::connection_reset), "the peer is gone");
  Header header{};
  if (static_cast<std::size_t>(got) < sizeof header || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail(WireErrc::malformed_frame, "a control message is cut");
  std::memcpy(&header, buffer.get(), sizeof header);
  if (header.version != kVersion)
    return fail(WireErrc::unknown_version, "a control message of another version");
  if (header.type < 1 || header.type > static_cast<std::uint8_t>(ControlType::failed) ||
      header.fds != fds.size())
    return fail(WireErrc::malformed_frame, "a malformed control message");
  ControlMessage result;
  result.type = static_cast<ControlType>(header.type);
  result.token = header.token;
  result.value = header.value;
  result.payload.assign(buffer.get() + sizeof header, static_cast<std::size_t>(got) - sizeof header);
  result.fds = std::move(fds);
  return result;
}

}  // namespace mayfly::wire
