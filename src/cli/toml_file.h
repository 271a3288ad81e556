// Parsing TOML without exceptions. Heavy: only for .cpp files.
#pragma once

#include <toml++/toml.h>

#include <string>

#include "base/result.h"
#include "cli/error.h"

namespace mayfly::cli {

/// `name` is what errors (failed) call it: "NAME:LINE: what is wrong".
inline Result<toml::table> parse_toml(const std::string& text, const std::string& name) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail(CliErrc::failed, name + ":" + std::to_string(error.source().begin.line) + ": " +
                                     std::string(error.description()));
  }
}

}  // namespace mayfly::cli
