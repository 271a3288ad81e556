// A request as environment variables (RFC 3875, section 4.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bridge/connection.h"
#include "exec/configuration.h"

namespace mayfly::exec {

/// What every executable gets, whatever its form: PATH and locale of this process, then the function's own
/// and its datasets.
[[nodiscard]] std::map<std::string, std::string> base_environment(const Configuration& configuration);
/// "NAME=value", as execve wants it. Values with a NUL are left out: they cannot be passed.
[[nodiscard]] std::vector<std::string> as_strings(const std::map<std::string, std::string>& variables);

/// The whole environment of one invocation. Empty when the path has a NUL in it, which no variable can hold.
[[nodiscard]] std::vector<std::string> cgi_environment(const Configuration& configuration,
                                                       const bridge::Request& request);
/// CONTENT_LENGTH, which was not known when the environment was made.
void set_length(std::vector<std::string>& environment, std::size_t bytes);

}  // namespace mayfly::exec
