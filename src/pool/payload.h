// What the processes of a version are born with.
#pragma once

#include <string_view>

#include "datasets/datasets.h"
#include "registry/function.h"
#include "secrets/secrets.h"
#include "template/fork_client.h"

namespace mayfly::pool {

/// Where what a version lists is kept. Null: there is none of it.
struct Stores {
  const secrets::Secrets* secrets = nullptr;
  const datasets::Datasets* datasets = nullptr;
};

/// Of a process that loads the code: `role` is "template" or "direct". It lies in a file in memory, since the
/// values of secrets (and what people put into `env`) must not pass through the runtime process, whose memory
/// every later template inherits. Secrets that are listed as files travel as files; their variable is the
/// path. Datasets are files, too: of the generation that is current now. Errors: template_failed, if a secret
/// or a dataset that the version lists does not exist, cannot be decrypted, or is not loaded.
[[nodiscard]] Result<tmpl::Payload> template_payload(std::string_view role, const registry::Version& version,
                                                     const Stores& stores);
/// Of a fork of a template, which has all that already.
[[nodiscard]] tmpl::Payload instance_payload();

}  // namespace mayfly::pool
