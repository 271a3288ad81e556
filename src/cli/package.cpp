#include "cli/package.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "cli/error.h"
#include "cli/ignore.h"
#include "cli/input.h"

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

class Filter {
 public:
  Filter(const fs::path& folder, const std::vector<std::string>& wanted, bool vendored)
      : folder_(folder), wanted_(wanted), vendored_(vendored) {
    if (auto own = read_file(folder / ".mayflyignore")) {
      list_.add(*own);
    } else if (auto git = read_file(folder / ".gitignore")) {
      list_.add(*git);
      from_git_ = true;
    }
  }

  [[nodiscard]] bool drops(const std::string& path, bool is_folder) const {
    const auto name = fs::path(path).filename();
    if (is_folder && (name == ".git" || name == ".hg" || name == ".svn" || is_made_by_python(path)))
      return true;
    if (name == "node_modules" && !vendored_ && has_lock(path)) return true;
    if (!list_.ignores(path, is_folder)) return false;
    return !(from_git_ && (in_packages(path) || is_wanted(path)));
  }

 private:
  static bool in_packages(const std::string& path) {
    return std::ranges::any_of(fs::path(path), [](const fs::path& part) {
      return part == "node_modules" || part == "vendor" || part == "wheels";
    });
  }
  [[nodiscard]] bool is_made_by_python(const std::string& path) const {
    std::error_code ignored;
    return fs::path(path).filename() == "__pycache__" || fs::exists(folder_ / path / "pyvenv.cfg", ignored);
  }
  [[nodiscard]] bool has_lock(const std::string& path) const {
    std::error_code ignored;
    const auto beside = (folder_ / path).parent_path();
    return fs::exists(beside / "package-lock.json", ignored) ||
           fs::exists(beside / "npm-shrinkwrap.json", ignored);
  }
  /// A wanted path, a folder on the way to it, or something beside it: "dist" and "dist/a.js" for
  /// "dist/index.js".
  [[nodiscard]] bool is_wanted(const std::string& path) const {
    return std::ranges::any_of(wanted_, [&](const std::string& each) {
      const auto beside = fs::path(each).parent_path().string();
      return each == path || each.starts_with(path + "/") || path.starts_with(each + "/") ||
             (!beside.empty() && path.starts_with(beside + "/"));
    });
  }

  IgnoreList list_;
  bool from_git_ = false;
  const fs::path& folder_;
  const std::vector<std::string>& wanted_;
  const bool vendored_;
};

void collect(const fs::path& folder, const std::string& prefix, const Filter& filter,
             std::vector<std::string>& paths) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto path = prefix + entry->path().filename().string();
    const bool is_folder = entry->is_directory(error) && !entry->is_symlink(error);
    if (filter.drops(path, is_folder)) continue;
    if (is_folder)
      collect(entry->path(), path + "/", filter, paths);
    else if (entry->is_regular_file(error) || entry->is_symlink(error))
      paths.push_back(path);
  }
}

struct ArchiveCloser {
  void operator()(struct archive* writer) const { ::archive_write_free(writer); }
};
struct EntryCloser {
  void operator()(struct archive_entry* entry) const { ::archive_entry_free(entry); }
};
using Writer = std::unique_ptr<struct archive, ArchiveCloser>;

la_ssize_t append(struct archive*, void* target, const void* data, std::size_t size) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

Result<void> add_file(struct archive* writer, const fs::path& folder, const std::string& path) {
  const auto file = folder / path;
  struct stat info{};
  if (::lstat(file.c_str(), &info) != 0) return fail_errno("read " + file.string());
  const std::unique_ptr<struct archive_entry, EntryCloser> entry(::archive_entry_new());
  ::archive_entry_set_pathname_utf8(entry.get(), path.c_str());
  ::archive_entry_set_perm(entry.get(), (info.st_mode & S_IXUSR) != 0 ? 0755 : 0644);
  ::archive_entry_set_mtime(entry.get(), 0, 0);  // the same content, the same bytes
  std::string content;
  if (S_ISLNK(info.st_mode)) {
    std::error_code error;
    const auto target = fs::read_symlink(file, error);
    ::archive_entry_set_filetype(entry.get(), AE_IFLNK);
    ::archive_entry_set_symlink_utf8(entry.get(), target.c_str());
  } else {
    auto text = read_file(file);
    if (!text) return propagate(text);
    content = std::move(*text);
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  }
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  const bool written =
      ::archive_write_header(writer, entry.get()) == ARCHIVE_OK &&
      ::archive_write_data(writer, content.data(), content.size()) == static_cast<la_ssize_t>(content.size());
  if (!written) return fail(CliErrc::failed, "pack " + path + ": " + ::archive_error_string(writer));
  return {};
}

}  // namespace

std::vector<std::string> files_to_pack(const fs::path& folder, const std::vector<std::string>& wanted,
                                       bool vendored) {
  std::vector<std::string> paths;
  collect(folder, "", Filter(folder, wanted, vendored), paths);
  std::ranges::sort(paths);
  return paths;
}

Result<Package> pack(const fs::path& folder, const std::vector<std::string>& wanted, bool vendored) {
  Package package;
  const auto paths = files_to_pack(folder, wanted, vendored);
  if (paths.empty()) return fail(CliErrc::failed, folder.string() + " holds nothing to deploy");
  {
    const Writer writer(::archive_write_new());
    ::archive_write_set_format_pax_restricted(writer.get());
    ::archive_write_add_filter_gzip(writer.get());
    ::archive_write_set_options(writer.get(), "gzip:compression-level=1,gzip:!timestamp");
    if (::archive_write_open(writer.get(), &package.bytes, nullptr, append, nullptr) != ARCHIVE_OK)
      return fail(CliErrc::failed, std::string("pack: ") + ::archive_error_string(writer.get()));
    for (const auto& path : paths) {
      auto added = add_file(writer.get(), folder, path);
      if (!added) return propagate(added);
    }
    if (::archive_write_close(writer.get()) != ARCHIVE_OK)
      return fail(CliErrc::failed, std::string("pack: ") + ::archive_error_string(writer.get()));
  }
  package.files = paths.size();
  return package;
}

}  // namespace mayfly::cli
