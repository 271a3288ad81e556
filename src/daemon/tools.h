// What this machine has of the programs that functions need. Any thread; what runs a program blocks.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "registry/function.h"

namespace mayfly::daemon {

/// Where this program lies, and beside it what belongs to it.
[[nodiscard]] std::filesystem::path executable_folder();

/// esbuild's executable: `wanted` if not empty, MAYFLY_ESBUILD, beside this program, in PATH. Empty if there
/// is none.
[[nodiscard]] std::filesystem::path find_esbuild(const std::string& wanted);

struct Interpreter {
  std::string path;     ///< of the program itself, not of a shim that starts it
  std::string version;  ///< "3.11.7"
  /// Whether functions see the packages that are installed beside it. Those of one that nobody has named are
  /// this machine's affair: what runs here has to run on the next machine.
  bool packages = true;
};

/// An interpreter that is looked for at first use, and, as long as it is not there, again: it may have been
/// installed meanwhile.
class LookedFor {
 public:
  static constexpr std::chrono::seconds kLookAgain{5};
  using Find = std::function<Result<Interpreter>()>;
  LookedFor(Find find, const Clock& clock) : find_(std::move(find)), clock_(clock) {}
  /// Blocks for what an interpreter takes to start, the first time, and at most once in kLookAgain while it
  /// is missing.
  [[nodiscard]] Result<Interpreter> get();

 private:
  Find find_;
  const Clock& clock_;
  std::mutex mutex_;
  std::optional<Result<Interpreter>> found_;
  MonotonicTime looked_{};
};

/// `wanted` is a path or a name to look for in PATH; empty: node. Error: not there.
[[nodiscard]] Result<Interpreter> find_node(const std::string& wanted);

/// `wanted` is a path or a name to look for in PATH; empty: the first that is new enough of python3,
/// python3.13, …, without its packages. Error: not there, too old, or it does not run.
[[nodiscard]] Result<Interpreter> find_python(const std::string& wanted);

/// The version of an interpreter of Node or Python. Blocks for what it takes to start. Error: too old, or it
/// does not run. For a program that may run unconfined (check_interpreter).
[[nodiscard]] Result<Interpreter> ask_interpreter(registry::Runtime runtime, const std::string& path);

/// Whether a function may name this file as its interpreter. It runs before any sandbox does, so everything
/// that it is made of (folders and links on the way to it, its libraries, what a virtual environment adds)
/// has to belong to root or to the daemon's user and not be open to others, nor lie in one of the untrusted
/// folders. Error: why not.
[[nodiscard]] Result<void> check_interpreter(registry::Runtime runtime, const std::filesystem::path& path,
                                             const std::vector<std::filesystem::path>& untrusted);

}  // namespace mayfly::daemon
