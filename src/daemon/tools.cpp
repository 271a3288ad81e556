#include "daemon/tools.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/child.h"
#include "base/inside.h"

namespace mayfly::daemon {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(20);
constexpr int kOldestPython = 11;  // of 3.x
constexpr int kOldestNode = 18;

std::unexpected<Error> missing(std::string message) {
  return fail(std::make_error_code(std::errc::no_such_file_or_directory), std::move(message));
}

/// What a program prints, in lines; empty if it cannot be run or fails.
std::vector<std::string> lines_of(const std::vector<std::string>& argv) {
  RunOptions options;
  options.deadline = kPatience;
  const auto result = run(argv, options);
  std::vector<std::string> lines;
  if (!result || !result->status.success()) return lines;
  std::string_view rest = result->output;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    lines.emplace_back(line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return lines;
}

Result<Interpreter> ask_python(const std::string& path) {
  const auto lines =
      lines_of({path, "-E", "-s", "-c",
                "import sys\nprint(sys.executable)\nprint('%d.%d.%d' % sys.version_info[:3])"});
  if (lines.size() != 2) return missing(path + " does not run");
  int minor = 0;
  const std::string_view version = lines[1];
  if (version.starts_with("3.")) std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  if (minor < kOldestPython)
    return missing(path + " is Python " + lines[1] + ", and 3.11 is the oldest that will do");
  return Interpreter{lines[0], lines[1]};
}

Result<Interpreter> ask_node(const std::string& path) {
  const auto lines = lines_of({path, "--version"});
  if (lines.size() != 1) return missing(path + " does not run");
  const auto version = lines[0].substr(lines[0].starts_with('v') ? 1 : 0);
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  if (major < kOldestNode)
    return missing(path + " is Node " + version + ", and 18 is the oldest that will do");
  return Interpreter{path, version};
}

/// Who could put something else there? An error says who, and where.
Result<void> check_owner(const fs::path& path, const struct stat& status) {
  const auto refuse = [&](const std::string& why) {
    return fail(std::make_error_code(std::errc::permission_denied), path.string() + " " + why);
  };
  const auto user = ::geteuid();
  if (status.st_uid != 0 && status.st_uid != user)
    return refuse("belongs to user " + std::to_string(status.st_uid) +
                  ", neither to root nor to the daemon's user");
  if (S_ISLNK(status.st_mode)) return {};
  // In a folder such as /tmp others can add, but not replace.
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
  const bool own_group = status.st_gid == 0 || (status.st_gid == ::getegid() && ::getegid() == user);
  if (!sticky && ((status.st_mode & 0002U) != 0 || ((status.st_mode & 0020U) != 0 && !own_group)))
    return refuse("can be written by others");
  return {};
}

/// Every folder and link on the way to a file, and the file: whoever owns one of them decides what is there.
Result<void> check_owned(const fs::path& path) {
  constexpr int kMostLinks = 40;  // as the kernel, path_resolution(7)
  fs::path here = "/";
  std::vector<fs::path> rest(path.begin(), path.end());
  std::ranges::reverse(rest);
  for (int links = 0; !rest.empty();) {
    const auto next = here / rest.back();  // "/" if that is absolute
    rest.pop_back();
    // A link there leads where its process says, not where it reads (proc(5)).
    for (const char* kernels : {"/proc", "/sys", "/dev"})
      if (next.lexically_normal() == kernels) return missing(path.string() + " lies in " + kernels);
    struct stat status{};
    if (::lstat(next.c_str(), &status) != 0) return missing(next.string() + " is not there");
    if (auto owner = check_owner(next, status); !owner) return owner;
    if (!S_ISLNK(status.st_mode)) {
      here = next;
      continue;
    }
    if (++links > kMostLinks) return missing(path.string() + " has too many links");
    const auto target = fs::read_symlink(next);
    const auto rest_before = rest.size();
    rest.insert(rest.end(), target.begin(), target.end());
    std::reverse(rest.begin() + static_cast<std::ptrdiff_t>(rest_before), rest.end());
  }
  return {};
}

void add_if_there(std::vector<fs::path>& parts, const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error)) parts.push_back(path);
}

/// Of a folder such as /usr/lib: what Python reads when it starts.
void add_python_libraries(std::vector<fs::path>& parts, const fs::path& library) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(library, error)) {
    if (!entry.path().filename().string().starts_with("python")) continue;
    parts.push_back(entry.path());
    const auto packages = entry.path() / "site-packages";
    add_if_there(parts, packages);
    for (const auto& file : fs::directory_iterator(packages, error))
      if (file.path().extension() == ".pth") parts.push_back(file.path());
  }
}

/// The program, and what it takes code from before it is in a sandbox: libraries and what a virtual
/// environment has, and is made from.
std::vector<fs::path> installation(const fs::path& path, const fs::path& real) {
  std::vector<fs::path> parts{path};
  if (path.parent_path().filename() != "bin") return parts;
  for (const auto& prefix : {path.parent_path().parent_path(), real.parent_path().parent_path()}) {
    for (const char* part : {"pyvenv.cfg", "bin", "lib", "lib64"}) add_if_there(parts, prefix / part);
    for (const char* library : {"lib", "lib64"}) add_python_libraries(parts, prefix / library);
  }
  return parts;
}

}  // namespace

fs::path executable_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

fs::path find_esbuild(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (const char* set = std::getenv("MAYFLY_ESBUILD")) return set;
  const auto here = executable_folder();
  for (const auto& folder : {here, here.parent_path()})
    for (const char* path : {"node_modules/@esbuild/linux-x64/bin/esbuild",
                             "node_modules/@esbuild/linux-arm64/bin/esbuild", "node_modules/.bin/esbuild"})
      if (fs::exists(folder / path)) return folder / path;
  return find_program("esbuild");
}

Result<Interpreter> LookedFor::get() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.now();
  if (!found_ || (!*found_ && now - looked_ >= kLookAgain)) {
    found_ = find_();
    looked_ = now;
  }
  return *found_;
}

Result<Interpreter> find_node(const std::string& wanted) {
  const auto node = find_program(wanted.empty() ? "node" : wanted);
  if (node.empty())
    return missing(
        "node was not found in PATH: install Node 18 or newer (apt-get install nodejs), or name it with "
        "--node");
  return ask_node(node);
}

Result<Interpreter> ask_interpreter(registry::Runtime runtime, const std::string& path) {
  return runtime == registry::Runtime::node ? ask_node(path) : ask_python(path);
}

Result<Interpreter> find_python(const std::string& wanted) {
  Result<Interpreter> first = missing(
      "python3 was not found in PATH: install Python 3.11 or newer (apt-get install python3), or name it "
      "with "
      "--python");
  bool tried = false;
  for (const std::string name : {wanted.empty() ? "python3" : wanted.c_str(), "python3.14", "python3.13",
                                 "python3.12", "python3.11"}) {
    const auto path = find_program(name);
    if (path.empty()) continue;
    auto found = ask_python(path);
    if (found) found->packages = !wanted.empty();
    if (found || !wanted.empty()) return found;
    if (!std::exchange(tried, true)) first = std::move(found);
  }
  return first;
}

Result<void> check_interpreter(registry::Runtime runtime, const fs::path& path,
                               const std::vector<fs::path>& untrusted) {
  const auto refuse = [&](const std::string& why) {
    return fail(std::make_error_code(std::errc::permission_denied),
                "interpreter " + path.string() + " " + why);
  };
  if (path != path.lexically_normal()) return refuse("has to be named without . and ..");
  std::error_code ignored;
  const auto real = fs::canonical(path, ignored);
  for (const auto& folder : untrusted) {
    const auto within = fs::weakly_canonical(folder, ignored);
    for (const auto& place : {path, real})
      if (is_inside(place, within)) return refuse("lies among what functions have brought");
  }
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) return refuse("is not there");
  if (!S_ISREG(file.st_mode) || (file.st_mode & 0111U) == 0) return refuse("is no program");
  const std::string wanted = runtime == registry::Runtime::node ? "node" : "python";
  if (!real.filename().string().starts_with(wanted)) return refuse("is no " + wanted);
  for (const auto& part : installation(path, real))
    if (auto owned = check_owned(part); !owned)
      return refuse("would run unconfined: " + owned.error().message);
  return {};
}

}  // namespace mayfly::daemon
