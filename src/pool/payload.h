// What the processes of a version are born with.
#pragma once

#include <string_view>

#include "registry/function.h"
#include "secrets/secrets.h"
#include "template/fork_client.h"

namespace mayfly::pool {

/// Of a process that loads the code: `role` is "template" or "direct". It lies in a file in memory, since the
/// values of secrets (and what people put into `env`) must not pass through the runtime process, whose memory
/// every later template inherits. Secrets that are listed as files travel as files; their variable is the
/// path. Errors: template_failed, if a secret that the version lists does not exist or cannot be decrypted.
[[nodiscard]] Result<tmpl::Payload> template_payload(std::string_view role, const registry::Version& version,
                                                     const secrets::Secrets* secrets);
/// Of a fork of a template, which has all that already.
[[nodiscard]] tmpl::Payload instance_payload();

}  // namespace mayfly::pool
