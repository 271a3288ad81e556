#include "pool/belongings.h"

#include <sys/socket.h>

#include "pool/failure.h"
#include "pool/payload.h"

namespace mayfly::pool {

Result<Belongings> make_belongings(const registry::Version& version, Boxes* boxes, bool serial) {
  auto data = socket_pair(SOCK_STREAM);
  auto log = socket_pair(SOCK_SEQPACKET);
  if (!data || !log) return fail(PoolErrc::fork_failed, "out of file descriptors");
  Belongings its{std::move(*data), std::move(*log), instance_payload()};
  if (boxes != nullptr) {
    auto temporary = boxes->temporary_of(version);
    if (!temporary) return fail(PoolErrc::fork_failed, temporary.error().message);
    its.payload.temporary = std::move(*temporary);
  }
  if (serial) {
    auto offers = wire::Offers::create();
    if (!offers) return fail(PoolErrc::fork_failed, offers.error().message);
    its.offers = std::move(offers->first);
    its.payload.offers = std::move(offers->second);
  }
  return its;
}

}  // namespace mayfly::pool
