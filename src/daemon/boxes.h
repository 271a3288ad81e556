// The boxes of functions: what each sees, who it is, and where its /tmp comes from.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "pool/boxes.h"
#include "sandbox/layers.h"
#include "sandbox/user_range.h"

namespace mayfly::daemon {

/// Thread-safe; does not block for longer than a few system calls.
class Boxes final : public pool::Boxes {
 public:
  struct Options {
    std::filesystem::path data;  ///< never shown, but for what a version needs of it
    std::vector<sandbox::Layer> layers;
    /// What runs a version: an empty path for native and exec.
    std::function<std::string(const registry::Version&)> interpreter;
    network::Networks* networks = nullptr;  ///< outlives this; null: there are no boxes that could have one
  };
  /// Error: the system call filter cannot be made.
  [[nodiscard]] static Result<std::unique_ptr<Boxes>> make(Options options);

  void network_for(const registry::Version& version, std::function<void(pool::NetworkPtr)> then) override;
  [[nodiscard]] Result<tmpl::BoxPayload> box_of(const registry::Version& version, bool forks,
                                                const pool::NetworkPtr& network) override;
  [[nodiscard]] Result<Fd> temporary_of(const registry::Version& version) override;

  /// Why functions have no way out; empty if they have, or if that is not known yet.
  [[nodiscard]] std::string no_outbound() const;
  [[nodiscard]] const std::vector<sandbox::Layer>& layers() const { return options_.layers; }

 private:
  explicit Boxes(Options options);
  [[nodiscard]] Result<void> check_hidden(const std::vector<std::filesystem::path>& shown) const;

  Options options_;
  bool namespaces_;
  Fd filter_;
  sandbox::FunctionUsers users_;
  std::vector<std::string> host_;  ///< what every function sees of the host
  std::vector<sandbox::Box::Text> links_;
  std::filesystem::path data_below_tmp_;  ///< what of the data folder lies directly in a /tmp, if it does
};

/// The files that an interpreter needs to run: itself, as it is named and as it is, with the libraries of its
/// installation and, of a virtual environment, of the one that it was made from.
[[nodiscard]] std::vector<std::filesystem::path> files_of_interpreter(const std::filesystem::path& program);

/// Without what lies inside of something else that is in the list, and what is not there.
[[nodiscard]] std::vector<std::string> outermost(std::vector<std::filesystem::path> paths);

}  // namespace mayfly::daemon
