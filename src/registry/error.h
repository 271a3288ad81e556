// What can be wrong with a deployment, a name or a version. The slugs are stable: they are the end of a
// problem's type, urn:mayfly:registry:<slug>.
#pragma once

#include "base/result.h"

namespace mayfly::registry {

enum class RegistryErrc {
  unknown_function = 1,  ///< no function of this name
  unknown_version,       ///< the function has no version of this number, or no alias of this name
  bad_name,              ///< not a name that a function or an alias may have
  bad_config,            ///< mayfly.toml, package.json or a setting; details: file, line, key, allowed
  bad_traffic,           ///< weights that name no version, sum up to nothing, or a bad `sticky`
  bad_archive,           ///< not an archive we read, or a damaged one
  unsafe_path,           ///< an entry that would leave the folder, or is no file, folder or link
  too_large,             ///< more files or bytes than a deployment may have; details: limit
  unsupported_source,    ///< nothing that a runtime here can run
  no_entry,              ///< no file in it that could hold the handler; details: tried
  syntax_error,          ///< 422 from here on: the code itself; details: file, line, column, stack
  missing_export,
  init_failed,     ///< top-level code threw, rejected, exited or took too long
  build_failed,    ///< esbuild refused it, is missing or took too long
  version_in_use,  ///< it has traffic or an alias
  opens_access,    ///< it would let in more callers, and nobody said so; details: key; keep, or serves and
                   ///< opens
  other_kind,      ///< a function of this name is an upstream, or the other way round; details: serves
};
[[nodiscard]] std::error_code make_error_code(RegistryErrc code);

}  // namespace mayfly::registry

template <>
struct std::is_error_code_enum<mayfly::registry::RegistryErrc> : std::true_type {};
