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
inline constexpr std::size_t kMaxFiles = 32;
/// Descriptors of a message besides those files.
inline constexpr std::size_t kMaxParts = 20;

enum class ControlType : std::uint8_t {
  // daemon → fork server
  /// fds: the child's channel (control or data), its log socket, then what `value` names (fork_part), then
  /// its files.
  /// Payload: JSON for the child, or its encoded box.
  fork = 1,
  // fork server → daemon
  forked = 2,       ///< value = pid as the fork server sees it; fd: the child's pidfd
  fork_failed = 3,  ///< value = errno; payload = the step that failed
  exited = 4,       ///< value = wait status of the child that `token` named; payload = its CPU time, u64 ns
  ready = 5,        ///< (template) code is loaded; payload = JSON
  failed = 6,       ///< (template) code cannot be loaded; payload = JSON {kind, message, stack, file, line}
};

/// Bits of a fork's `value`: which descriptors it has, in this order.
namespace fork_part {
inline constexpr std::uint64_t kDocument = 1;  ///< a file that holds the JSON, read by the child alone
inline constexpr std::uint64_t kTemporary =
    2;                                    ///< a tmpfs: the child is an instance in a box (sandbox/enter.h)
inline constexpr std::uint64_t kBox = 4;  ///< as many as the box in the payload has (sandbox/box.h)
inline constexpr std::uint64_t kOffers = 16;  ///< the instance's page of offers (offers.h)
inline constexpr std::uint64_t kOwnPids = 8;  ///< no descriptor: the child is the first of a PID namespace
}  // namespace fork_part

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
