// Whose terms a run of npm is on: the server's, with its tokens and the downloads that all share, or the
// deployment's own, without them.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "registry/node_manifest.h"

namespace mayfly::registry {

/// What the deployment says itself of where packages come from or how npm works, for people ("its .npmrc sets
/// 'registry'"); empty if all of that is the server's to say: a lock file, packages of the registry, packages
/// of the deployment, and no setting but harmless ones. Otherwise code of the deployment can run inside of
/// npm (a repository that is prepared, `git` and `script-shell` of an .npmrc), or what npm fetches is not
/// what others would get under the same address (`proxy`, `strict-ssl`).
///
/// `lock`: that of the manifest, parsed.
[[nodiscard]] std::string own_terms(const std::filesystem::path& root, const NodeManifest& manifest,
                                    const nlohmann::json& lock);

/// The first setting of an .npmrc that is not harmless; empty if there is none. `registry`: the server's own,
/// to which ${NPM_TOKEN} may go ("https://registry.npmjs.org/").
[[nodiscard]] std::string npmrc_terms(std::string_view npmrc, std::string_view registry);

/// Whether "name=value" is not for code of a deployment: a token, a password, a key, a URL with one in it.
[[nodiscard]] bool is_credential(std::string_view setting);
/// An .npmrc without its credentials.
[[nodiscard]] std::string without_credentials(std::string_view npmrc);

}  // namespace mayfly::registry
