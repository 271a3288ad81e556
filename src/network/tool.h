// Programs of the system that set up networks.
#pragma once

#include <string>
#include <vector>

#include "base/child.h"
#include "network/error.h"

namespace mayfly::network {

/// One of "ip", "nft", "slirp4netns" and "prlimit": its path, looked for in PATH and in the folders that an
/// ordinary user's PATH lacks. Error: missing_tool, with the Debian package that has it.
[[nodiscard]] Result<std::string> find_tool(const std::string& name);

/// Runs a tool in the network namespace of the calling thread, with `input` at its stdin; what it wrote to
/// stdout. An error begins with `doing` and ends with the last line that the tool wrote to stderr. Blocks, 10
/// s at most.
[[nodiscard]] Result<std::string> run_tool(std::string_view doing, const std::vector<std::string>& argv,
                                           const std::string& input = {},
                                           const std::vector<ChildOptions::Descriptor>& descriptors = {});

/// The last line of what a program wrote.
[[nodiscard]] std::string last_line(std::string_view text);

}  // namespace mayfly::network
