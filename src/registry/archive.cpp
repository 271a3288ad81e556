#include "registry/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/text.h"
#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRatioFrom = 16ULL << 20U;
constexpr std::size_t kMaxDepth = 64;

std::unexpected<Error> unsafe(const std::string& path, const std::string& why) {
  auto error = fail(RegistryErrc::unsafe_path, "'" + path.substr(0, 200) + "' in the archive " + why);
  error.error().with("path", path.substr(0, 200));
  return error;
}

std::unexpected<Error> too_large(const std::string& what, const std::string& limit) {
  auto error = fail(RegistryErrc::too_large, "the archive has more than " + limit + " " + what);
  error.error().with("limit", limit);
  return error;
}

/// Where an entry goes, relative to the folder; empty for the folder itself ("./").
Result<fs::path> safe_path(const std::string& name) {
  if (name.starts_with('/')) return unsafe(name, "has an absolute path");
  // Written on Windows perhaps; a backslash in a name is never meant as one.
  if (name.contains('\\')) return unsafe(name, "has a backslash in its path");
  fs::path result;
  std::size_t depth = 0;
  for (const auto& part : fs::path(name)) {
    if (part == "..") return unsafe(name, "leaves the folder");
    if (part.empty() || part == ".") continue;
    if (part.native().size() > 255 || ++depth > kMaxDepth)
      return unsafe(name.substr(0, 80), "has too long a path");
    result /= part;
  }
  return result;
}

struct Link {
  fs::path path;
  std::string target;
};

class Unpacker {
 public:
  Unpacker(fs::path folder, const ArchiveLimits& limits) : folder_(std::move(folder)), limits_(limits) {}

  Result<void> run(const fs::path& file) {
    reader_.reset(archive_read_new());
    archive_read_support_filter_gzip(reader());
    archive_read_support_format_tar(reader());
    archive_read_support_format_zip(reader());
    if (archive_read_open_filename(reader(), file.c_str(), 65536) != ARCHIVE_OK) return damaged();
    for (;;) {
      archive_entry* entry = nullptr;
      const int code = archive_read_next_header(reader(), &entry);
      if (code == ARCHIVE_EOF) break;
      if (code < ARCHIVE_WARN) return damaged();
      if (auto done = take(entry); !done) return done;
    }
    if (entries_ == 0) return fail(RegistryErrc::bad_archive, "the archive is empty, or is none");
    return make_links();
  }

 private:
  struct Free {
    void operator()(archive* reader) const noexcept { archive_read_free(reader); }
  };

  [[nodiscard]] archive* reader() const { return reader_.get(); }

  [[nodiscard]] std::unexpected<Error> damaged() const {
    const char* text = archive_error_string(reader());
    return fail(RegistryErrc::bad_archive,
                std::string("the archive cannot be read: ") + (text != nullptr ? text : "unknown format"));
  }

  Result<void> take(archive_entry* entry) {
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);  // bytes that are no UTF-8
    if (name == nullptr) return fail(RegistryErrc::bad_archive, "an entry of the archive has no name");
    if (++entries_ > limits_.max_files) return too_large("files", std::to_string(limits_.max_files));
    auto path = safe_path(name);
    if (!path) return propagate(path);
    // What macOS adds: not part of anyone's source.
    if (path->empty() || *path->begin() == "__MACOSX") return {};
    if (archive_entry_is_encrypted(entry) != 0)
      return fail(RegistryErrc::bad_archive, "the archive is encrypted");
    if (auto made = make_folder(path->parent_path()); !made) return made;
    if (const char* target = archive_entry_hardlink_utf8(entry)) return hard_link(*path, target);
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        return make_folder(*path);
      case AE_IFREG:
        return write_file(*path, (archive_entry_mode(entry) & 0111U) != 0);
      case AE_IFLNK:
        return remember_link(*path, entry);
      default:
        return unsafe(name, "is a device, a pipe or a socket");
    }
  }

  /// All on the way are folders that we made: links come last, and a file in the way is an error.
  Result<void> make_folder(const fs::path& path) {
    if (path.empty()) return {};
    std::error_code error;
    fs::create_directories(folder_ / path, error);
    if (error) return clash(path, error.value());
    return {};
  }

  [[nodiscard]] std::unexpected<Error> clash(const fs::path& path, int error) const {
    if (error == ENOTDIR || error == EEXIST || error == EISDIR)
      return fail(RegistryErrc::bad_archive,
                  "'" + path.string() + "' is in the archive twice, as different things");
    return fail_errno("unpack " + path.string(), error);
  }

  Result<void> write_file(const fs::path& path, bool executable) {
    const auto full = folder_ / path;
    // A later entry replaces an earlier one, as tar does; removed first, as it may be a hard link.
    ::unlink(full.c_str());
    const mode_t mode = executable ? 0755 : 0644;
    const Fd fd(::open(full.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!fd) return clash(path, errno);
    std::array<char, 65536> buffer;
    for (;;) {
      const auto got = archive_read_data(reader(), buffer.data(), buffer.size());
      if (got == 0) return {};
      if (got < 0) return damaged();
      bytes_ += static_cast<std::uint64_t>(got);
      if (auto allowed = check_size(); !allowed) return allowed;
      if (auto written = write_all(fd, buffer.data(), static_cast<std::size_t>(got)); !written)
        return written;
    }
  }

  /// After every block: what the headers say about sizes is not believed.
  [[nodiscard]] Result<void> check_size() const {
    if (bytes_ > limits_.max_bytes) return too_large("in its files", format_size(limits_.max_bytes));
    const auto packed = static_cast<std::uint64_t>(archive_filter_bytes(reader(), -1));
    if (bytes_ > kRatioFrom && bytes_ / std::max<std::uint64_t>(packed, 1) > limits_.max_ratio)
      return too_large("bytes for each packed one", std::to_string(limits_.max_ratio));
    return {};
  }

  static Result<void> write_all(const Fd& fd, const char* data, std::size_t size) {
    while (size > 0) {
      const auto wrote = ::write(fd.get(), data, size);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return fail_errno("write unpacked file");
      data += wrote;
      size -= static_cast<std::size_t>(wrote);
    }
    return {};
  }

  /// To a file that was unpacked before; there are no symbolic links yet that could lead elsewhere.
  Result<void> hard_link(const fs::path& path, const std::string& target) {
    auto source = safe_path(target);
    if (!source) return propagate(source);
    struct stat info{};
    if (::lstat((folder_ / *source).c_str(), &info) != 0 || !S_ISREG(info.st_mode))
      return unsafe(path, "is a hard link to what is not a file in the archive before it");
    if (*source == path) return {};
    ::unlink((folder_ / path).c_str());
    if (::link((folder_ / *source).c_str(), (folder_ / path).c_str()) != 0) return clash(path, errno);
    return {};
  }

  Result<void> remember_link(const fs::path& path, archive_entry* entry) {
    const char* target = archive_entry_symlink_utf8(entry);
    if (target == nullptr) target = archive_entry_symlink(entry);
    if (target == nullptr || *target == '\0') return unsafe(path, "is a link to nothing");
    links_.push_back({path, target});
    return {};
  }

  /// Judged by its text alone, whatever there may be one day: it goes up beyond the folder, or up again after
  /// down.
  static bool could_leave(const Link& link) {
    auto depth = std::distance(link.path.begin(), link.path.end()) - 1;
    bool down = false;
    for (const auto& part : fs::path(link.target)) {
      if (part == "..") {
        if (down || --depth < 0) return true;
      } else if (part != ".") {
        down = true;
      }
    }
    return fs::path(link.target).is_absolute();
  }

  /// All links are made, then each is followed by the kernel with the folder as its bounds, so that no
  /// chain of links that each look harmless leads out.
  Result<void> make_links() {
    for (const auto& link : links_) {
      if (auto made = make_folder(link.path.parent_path()); !made) return made;
      if (::symlink(link.target.c_str(), (folder_ / link.path).c_str()) != 0) return clash(link.path, errno);
    }
    const Fd root(::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) return fail_errno("open " + folder_.string());
    for (const auto& link : links_) {
      open_how how{};
      how.flags = O_PATH | O_CLOEXEC;
      how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
      const Fd reached(
          static_cast<int>(::syscall(SYS_openat2, root.get(), link.path.c_str(), &how, sizeof how)));
      // A link to what is missing is common in packages. A build may make what is missing: then, too, it must
      // not lead out.
      if (!reached && (errno != ENOENT || could_leave(link)))
        return unsafe(link.path, "is a link that leaves the folder or has no end");
    }
    return {};
  }

  fs::path folder_;
  const ArchiveLimits& limits_;
  std::unique_ptr<archive, Free> reader_;
  std::vector<Link> links_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

bool is_archive(std::string_view head) {
  return head.starts_with("\x1f\x8b") || head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06") ||
         (head.size() >= 262 && head.substr(257, 5) == "ustar");
}

Result<void> unpack(const fs::path& archive, const fs::path& folder, const ArchiveLimits& limits) {
  return Unpacker(folder, limits).run(archive);
}

}  // namespace mayfly::registry
