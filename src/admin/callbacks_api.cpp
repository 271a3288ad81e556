// Callbacks: what their receivers need to know.
#include <nlohmann/json.hpp>

#include "admin/api.h"
#include "admin/endpoint.h"

namespace mayfly::admin {
namespace {

Result<Response> secret(const Services& services, Request&) {
  return json_response({{"secret", services.callback_secret}});
}

}  // namespace

std::vector<Route> callback_routes(const Services& s) {
  return {
      {"GET",
       "/v1/callbacks/secret",
       "callbackSecret",
       "The secret that callbacks are signed with, as Standard Webhooks has it",
       {{200, "whsec_ and base64", "CallbackSecret"}},
       immediate(secret, s)},
  };
}

}  // namespace mayfly::admin
