#include "datasets/source.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <set>

#include "datasets/error.h"

namespace mayfly::datasets {
namespace {

namespace fs = std::filesystem;

bool is_pattern(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

std::unexpected<Error> unreadable(const std::string& path, const std::string& why) {
  auto error = fail(DatasetsErrc::source_unreadable, path + ": " + why);
  error.error().with("file", path);
  return error;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  std::error_code ignored;
  const auto real = fs::weakly_canonical(path, ignored);
  const auto inside = fs::weakly_canonical(folder, ignored);
  if (folder.empty() || inside.empty()) return false;
  return std::mismatch(inside.begin(), inside.end(), real.begin(), real.end()).first == inside.end();
}

/// By name. Error: source_unreadable, where a folder cannot be read.
Result<std::vector<std::string>> matches(const std::string& pattern) {
  struct Found : glob_t {
    Found() : glob_t{} {}
    Found(const Found&) = delete;
    Found& operator=(const Found&) = delete;
    ~Found() { ::globfree(this); }
  } found;
  static thread_local std::string unread;
  unread.clear();
  const auto on_error = [](const char* path, int error) {
    unread =
        std::string(path) + ": " + std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
    return 1;
  };
  const int done = ::glob(pattern.c_str(), GLOB_ERR, on_error, &found);
  if (done == GLOB_NOMATCH) return std::vector<std::string>{};
  if (done != 0) return unreadable(pattern, unread.empty() ? "the pattern cannot be read" : unread);
  return std::vector<std::string>(found.gl_pathv, found.gl_pathv + found.gl_pathc);
}

/// Nothing: it is not to be part of a dataset.
Result<std::optional<SourceFile>> open_file(const std::string& path, bool named, const fs::path& forbidden) {
  // Without waiting: what is no regular file could let this wait for ever.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (named ? 0 : O_NOFOLLOW);
  Fd file(::open(path.c_str(), flags));
  if (!file && errno == ELOOP && !named) return std::nullopt;
  if (!file && errno == ENOENT && !named) return std::nullopt;  // it was rotated away meanwhile
  if (!file) return unreadable(path, std::generic_category().message(errno));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return unreadable(path, std::generic_category().message(errno));
  if (!S_ISREG(info.st_mode)) {
    if (named) return unreadable(path, "it is no regular file");
    return std::nullopt;
  }
  if (lies_in("/proc/self/fd/" + std::to_string(file.get()), forbidden))
    return unreadable(path, "it lies in the data folder of Mayfly");
  return SourceFile{path, std::move(file), static_cast<std::uint64_t>(info.st_size),
                    info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

}  // namespace

Result<void> check_patterns(const Patterns& patterns, const fs::path& forbidden) {
  if (patterns.empty()) return fail(DatasetsErrc::bad_source, "a dataset needs files: --from PATH");
  if (patterns.size() > kMaxPatterns)
    return fail(DatasetsErrc::bad_source,
                "a dataset comes from at most " + std::to_string(kMaxPatterns) + " paths or patterns");
  for (const auto& pattern : patterns) {
    if (!pattern.starts_with('/') || pattern.contains('\0') || pattern.size() >= PATH_MAX)
      return fail(DatasetsErrc::bad_source, "'" + pattern.substr(0, 200) + "' is no absolute path");
    if (lies_in(pattern, forbidden))
      return fail(DatasetsErrc::bad_source,
                  "'" + pattern + "' lies in the data folder of Mayfly, which no function sees");
  }
  return {};
}

Result<std::vector<SourceFile>> open_files(const Patterns& patterns, const fs::path& forbidden) {
  std::vector<SourceFile> files;
  std::set<std::string> known;
  for (const auto& pattern : patterns) {
    auto paths = is_pattern(pattern) ? matches(pattern) : Result<std::vector<std::string>>({pattern});
    if (!paths) return propagate(paths);
    for (const auto& path : *paths) {
      if (!known.insert(path).second) continue;
      auto file = open_file(path, !is_pattern(pattern), forbidden);
      if (!file) return propagate(file);
      if (!*file) continue;
      if (files.size() == kMaxFiles)
        return unreadable(pattern, "there are more than " + std::to_string(kMaxFiles) + " files");
      files.push_back(std::move(**file));
    }
  }
  if (files.empty()) return unreadable(patterns.front(), "there is no such file");
  return files;
}

std::string fingerprint(const std::vector<SourceFile>& files) {
  std::string text;
  for (const auto& file : files)
    text += file.path + '\0' + std::to_string(file.size) + '\0' + std::to_string(file.changed_ns) + '\0';
  return text;
}

}  // namespace mayfly::datasets
