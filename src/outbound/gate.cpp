#include "outbound/gate.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

namespace mayfly::outbound {

namespace ip = boost::asio::ip;

namespace {

std::optional<ip::address> address_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ip::address_v6::bytes_type bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return ip::address_v6(bytes);
  }
  return std::nullopt;
}

}  // namespace

void Gate::put_before(CURL* transfer) {
  ::curl_easy_setopt(transfer, CURLOPT_PROXY, "");
  ::curl_easy_setopt(transfer, CURLOPT_OPENSOCKETFUNCTION, on_socket);
  ::curl_easy_setopt(transfer, CURLOPT_OPENSOCKETDATA, this);
}

Error Gate::error(CURLcode code, const char* said) const {
  auto error = error_of(code, said);
  if (!refused_ || error.code != OutboundErrc::unreachable) return error;
  return Error{OutboundErrc::address_not_allowed, "its host has no address that is asked", {}};
}

curl_socket_t Gate::on_socket(Gate* self, curlsocktype, curl_sockaddr* address) {
  const auto where = address_of(address->addr);
  if (self->rules_ != nullptr && (!where || !self->rules_->allows(*where))) {
    self->refused_ = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace mayfly::outbound
