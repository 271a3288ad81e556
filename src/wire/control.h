// Messages between the daemon and a fork server (a runtime process or a template), on a
// SOCK_SEQPACKET socket. One packet is one message; descriptors travel with it (unix(7), SCM_RIGHTS).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace mayfly::wire {

/// The largest packet: header and payload.
inline constexpr std::size_t kMaxControl = 160U << 10U;
/// Files that a child is born with are its descriptors kFirstFile, kFirstFile + 1, …: programs that it
/// executes have them too.
inline constexpr int kFirstFile = 100;
inline constexpr std::size_t kMaxFiles = 16;
/// Of a fork's value.
inline constexpr std::uint64_t kOffers = 1;

enum class ControlType : std::uint8_t {
  // daemon → fork server
  /// Payload: JSON for the child; fds: its channel (control or data), its log socket. With a third, that is a
  /// file which holds the JSON instead, read by the child alone; those behind it are its files. value:
  /// kOffers
  /// if the very last one is a page of offers (offers.h).
  fork = 1,
  // fork server → daemon
  forked = 2,       ///< value = pid as the fork server sees it; fd: the child's pidfd
  fork_failed = 3,  ///< value = errno; payload = the step that failed
  exited = 4,       ///< value = wait status of the child that `token` named
  ready = 5,        ///< (template) code is loaded; payload = JSON
  failed = 6,       ///< (template) code cannot be loaded; payload = JSON {kind, message, stack, file, line}
};

struct ControlMessage {
  ControlType type{};
  std::uint64_t token = 0;  ///< chosen by the daemon for each fork; names the child from then on
  std::uint64_t value = 0;
  std::string payload{};
  std::vector<Fd> fds{};
};

/// Send one message; the descriptors stay the caller's. Retries EINTR; EAGAIN is an error (the peer
/// does not read).
[[nodiscard]] Result<void> send_control(int socket, ControlType type, std::uint64_t token,
                                        std::uint64_t value, std::string_view payload,
                                        const std::vector<int>& fds = {});
/// Receive one message. Nothing when the socket is non-blocking and empty; an error when the peer is
/// gone (std::errc::connection_reset) or speaks another protocol. Descriptors arrive close-on-exec.
[[nodiscard]] Result<std::optional<ControlMessage>> receive_control(int socket);

}  // namespace mayfly::wire
