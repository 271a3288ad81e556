#include "admin/endpoint.h"

namespace mayfly::admin {
namespace {

boost::asio::awaitable<Result<Response>> run(Immediate endpoint, const Services& services, Request& request) {
  co_return endpoint(services, request);
}

}  // namespace

Handler immediate(Immediate endpoint, const Services& services) {
  return [endpoint, &services](Request& request) { return run(endpoint, services, request); };
}

Handler with_services(Endpoint endpoint, const Services& services) {
  return [endpoint, &services](Request& request) { return endpoint(services, request); };
}

}  // namespace mayfly::admin
