#include "cli/folder_watch.h"

#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;

bool is_watched_folder(const fs::path& folder) {
  const auto name = folder.filename().string();
  return name != "node_modules" && !name.starts_with('.');
}

}  // namespace

Result<FolderWatch> FolderWatch::open(const fs::path& path) {
  Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return fail_errno("inotify_init");
  std::error_code error;
  const bool folder = fs::is_directory(path, error);
  FolderWatch watch(std::move(inotify), folder ? std::nullopt : std::optional(path.filename().string()));
  watch.add(folder ? path : (path.has_parent_path() ? path.parent_path() : fs::path(".")));
  if (watch.folders_.empty())
    return fail_errno("watch " + path.string() + " (see fs.inotify.max_user_watches)");
  return watch;
}

void FolderWatch::add(const fs::path& folder) {
  const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents | IN_ONLYDIR);
  if (watch < 0) return;
  folders_[watch] = folder;
  if (only_) return;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_directory(error) && !entry->is_symlink(error) && is_watched_folder(entry->path()))
      add(entry->path());
}

bool FolderWatch::counts(const std::string& name) const {
  if (only_) return name == *only_;
  if (name.empty() || name == "node_modules") return false;
  // "4913" is what vim creates to find out whether it may.
  const bool scratch = name.ends_with('~') || name.ends_with(".swp") || name.ends_with(".tmp") ||
                       name == "4913" ||
                       (name.starts_with('.') && name != ".mayflyignore" && !name.starts_with(".env")) ||
                       (name.starts_with('#') && name.ends_with('#'));
  return !scratch;
}

bool FolderWatch::changed() {
  alignas(struct inotify_event) std::array<char, 16384> space{};
  bool any = false;
  for (;;) {
    const auto size = ::read(inotify_.get(), space.data(), space.size());
    if (size <= 0) return any;
    for (const char* at = space.data(); at < space.data() + size;) {
      const auto* event = reinterpret_cast<const struct inotify_event*>(at);
      at += sizeof(struct inotify_event) + event->len;
      const std::string name = event->len > 0 ? event->name : "";
      const auto folder = folders_.find(event->wd);
      if ((event->mask & IN_IGNORED) != 0) {
        folders_.erase(event->wd);
      } else if ((event->mask & IN_ISDIR) != 0) {
        const bool appeared = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;
        if (appeared && !only_ && folder != folders_.end() && is_watched_folder(name))
          add(folder->second / name);
        any = any || (!only_ && counts(name));
      } else if ((event->mask & IN_CREATE) == 0) {
        any = any || counts(name);  // a file that was only created is still empty: its close comes
      }
    }
  }
}

void FolderWatch::settle(std::chrono::milliseconds quiet) {
  const auto latest = std::chrono::steady_clock::now() + 10 * quiet;
  struct pollfd wait{.fd = inotify_.get(), .events = POLLIN, .revents = 0};
  while (std::chrono::steady_clock::now() < latest && ::poll(&wait, 1, static_cast<int>(quiet.count())) > 0)
    static_cast<void>(changed());
}

}  // namespace mayfly::cli
