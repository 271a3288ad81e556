// What can be wrong with a machine, one check each.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mayfly::cli {

/// Missing: not there, which harms only who wants it.
enum class Health { good, missing, warning, bad };

struct Finding {
  std::string what;  ///< "node", "cgroup", "port 8080"
  Health health = Health::good;
  std::string found;      ///< "20.20.0", "version 1 only"
  std::string advice{};   ///< what to do; empty if nothing is to be done
  std::string version{};  ///< of a program that was found
  std::string path{};     ///< where it is; behind a shim the program itself
};

/// Of the kernel: its version, memfd, pidfd, PAGEMAP_SCAN, its limits.
[[nodiscard]] std::vector<Finding> check_kernel();
/// The layers of the sandbox that a daemon of this user would have (sandbox/layers.h).
[[nodiscard]] std::vector<Finding> check_sandbox();
/// The limits that control groups would hold for a daemon that is started from here (sandbox/limit_layers.h).
/// Makes a group and removes it; on version 2 this process may move to one below its own, as a daemon does.
[[nodiscard]] std::vector<Finding> check_limits();
/// What networks of functions with a way out are made with (src/network).
[[nodiscard]] std::vector<Finding> check_network();
/// What functions are run and built with, as it is found in PATH: interpreters, compilers, installers.
[[nodiscard]] std::vector<Finding> check_runtimes();
/// The data folder: who may write and read it, and how much space is left.
[[nodiscard]] std::vector<Finding> check_data_folder(const std::filesystem::path& folder);
/// Whether a daemon answers, and if none does, whether the default ports are free for one.
[[nodiscard]] std::vector<Finding> check_daemon(const Connection& connection);

}  // namespace mayfly::cli
