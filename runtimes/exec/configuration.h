// What the daemon says about the version that a template holds.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mayfly::exec {

/// How the executable is driven.
enum class Form {
  cgi,     ///< started for each invocation (RFC 3875)
  lambda,  ///< started with the instance; asks for invocations by the Lambda Runtime API
};

struct Configuration {
  std::string role;  ///< "template", "direct" or "instance"
  std::string root;  ///< the version's folder, absolute
  std::string entry;
  std::string handler;
  std::string function;
  std::string version;
  std::map<std::string, std::string> env;
  /// Paths of datasets by the names of their variables: "MAYFLY_DATASET_ACCESS_LOG". Each is a descriptor
  /// that the executable has open (process.h, with_files()), so opening the path needs no right but /proc.
  std::map<std::string, std::string> datasets;
  std::uint64_t memory = 0;  ///< bytes

  [[nodiscard]] std::string executable() const { return root + "/" + entry; }
  [[nodiscard]] Form form() const;
  /// Without its folders.
  [[nodiscard]] std::string entry_name() const;
  /// As _HANDLER has it.
  [[nodiscard]] std::string handler_name() const;
};

/// Reads what the fork server was given; what is missing keeps its default.
[[nodiscard]] Configuration parse_configuration(const std::string& json);

}  // namespace mayfly::exec
