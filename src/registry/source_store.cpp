#include "registry/source_store.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "base/hex.h"
#include "base/remove_tree.h"
#include "base/text.h"
#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  [[nodiscard]] std::string hex() {
    std::array<unsigned char, 32> digest;
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return hex_of(digest);
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

/// With its length in front: no two lists of fields give the same bytes.
void add_field(Sha256& sha, std::string_view field) {
  sha.add(std::to_string(field.size()) + ":");
  sha.add(field);
}

Result<void> add_file(Sha256& sha, const fs::path& file, std::uintmax_t size) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("read " + file.string());
  sha.add(std::to_string(size) + ":");
  std::array<char, 65536> buffer;
  for (;;) {
    const auto got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + file.string());
    if (got == 0) return {};
    sha.add({buffer.data(), static_cast<std::size_t>(got)});
  }
}

/// So long may all paths together be, in bytes: a build can make few folders with names as long as they may
/// be in each other, and all their paths are held at once.
constexpr std::size_t kMaxPaths = 64U << 20U;

/// Everything below a folder, sorted by path; the folder itself is not in it. Links are not followed.
Result<std::vector<fs::directory_entry>> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  std::size_t paths = 0;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto kind = it->symlink_status(error).type();
    if (error) break;
    if (kind != fs::file_type::regular && kind != fs::file_type::directory && kind != fs::file_type::symlink)
      return fail(RegistryErrc::unsafe_path,
                  "'" + it->path().lexically_relative(folder).string() + "' is no file, folder or link");
    paths += it->path().native().size() + sizeof(fs::directory_entry);
    if (paths > kMaxPaths) {
      auto large =
          fail(RegistryErrc::too_large,
               "too many files, or too long paths: their names take more than " + format_size(kMaxPaths));
      large.error().with("limit", format_size(kMaxPaths));
      return large;
    }
    entries.push_back(*it);
  }
  if (error) return fail_errno("read " + folder.string(), error.value());
  std::ranges::sort(entries, {},
                    [](const auto& entry) -> const std::string& { return entry.path().native(); });
  return entries;
}

/// Read-only, but for the folder itself: to rename a folder one must be able to write to it.
Result<void> seal(const fs::path& folder) {
  auto entries = entries_of(folder);
  if (!entries) return propagate(entries);
  for (const auto& entry : *entries) {
    if (entry.is_symlink()) continue;
    const bool executable =
        entry.is_directory() || (entry.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
    if (::chmod(entry.path().c_str(), executable ? 0555 : 0444) != 0)
      return fail_errno("chmod " + entry.path().string());
  }
  return {};
}

Result<void> sync_path(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path.string());
  if (::fsync(fd.get()) != 0) return fail_errno("sync " + path.string());
  return {};
}

}  // namespace

struct SourceStore::State {
  explicit State(const fs::path& data) : staging(fs::absolute(data) / "staging") {}
  fs::path sources;
  fs::path staging;
  std::mutex mutex;
  std::function<Result<void>(const std::string&)> sync;  ///< under the mutex; set by tests alone
  std::map<std::string, int> pins;  ///< under the mutex, as are the appearance and removal of contents
};

SourceStore::Pin& SourceStore::Pin::operator=(Pin&& other) noexcept {
  if (this != &other) {
    release();
    state_ = std::move(other.state_);
    digest_ = std::move(other.digest_);
  }
  return *this;
}

void SourceStore::Pin::release() noexcept {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  if (const auto pin = state_->pins.find(digest_); --pin->second == 0) state_->pins.erase(pin);
}

Result<std::string> digest_of(const fs::path& folder) {
  auto entries = entries_of(folder);
  if (!entries) return propagate(entries);
  Sha256 sha;
  for (const auto& entry : *entries) {
    const auto path = entry.path().lexically_relative(folder).native();
    if (entry.is_symlink()) {
      std::error_code error;
      add_field(sha, "l" + path);
      add_field(sha, fs::read_symlink(entry.path(), error).native());
    } else if (entry.is_directory()) {
      add_field(sha, "d" + path);
    } else {
      const bool executable = (entry.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
      add_field(sha, (executable ? "x" : "f") + path);
      if (auto added = add_file(sha, entry.path(), entry.file_size()); !added) return propagate(added);
    }
  }
  return sha.hex();
}

std::string digest_of_text(std::string_view text) {
  Sha256 sha;
  sha.add(text);
  return sha.hex();
}

Result<SourceStore> SourceStore::open(const fs::path& data) {
  const SourceStore nowhere(std::make_shared<State>(data));
  (void)remove_tree(nowhere.state_->staging);  // what cannot be removed is in nobody's way there
  return nowhere.beside("sources");
}

Result<SourceStore> SourceStore::beside(const std::string& name) const {
  auto state = std::make_shared<State>(data());
  state->sources = data() / name;
  for (const auto& folder : {state->sources, state->staging}) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return fail_errno("create " + folder.string(), error.value());
  }
  return SourceStore(std::move(state));
}

Result<TempFolder> SourceStore::stage() const {
  TempFolder folder(state_->staging);
  if (folder.path().empty()) return fail_errno("create a folder in " + state_->staging.string());
  return folder;
}

Result<SourceStore::Pin> SourceStore::take(const fs::path& folder) const {
  auto digest = digest_of(folder);
  if (!digest) return propagate(digest);
  return take(folder, std::move(*digest));
}

Result<SourceStore::Pin> SourceStore::take(const fs::path& folder, std::string digest) const {
  const auto target = path(digest);
  // Sealed before it appears: nobody sees it writable below its top. Done outside the lock, it may be long.
  if (!contains(digest))
    if (auto sealed = seal(folder); !sealed) return propagate(sealed);
  const std::lock_guard lock(state_->mutex);
  if (!fs::exists(target)) {
    ::chmod(folder.c_str(), 0755);
    if (::rename(folder.c_str(), target.c_str()) != 0) return fail_errno("rename to " + target.string());
    ::chmod(target.c_str(), 0555);
  } else {
    (void)remove_tree(folder);  // another one was quicker; what is staged may be sealed by now
  }
  ++state_->pins[digest];
  return Pin(state_, std::move(digest));
}

std::optional<SourceStore::Pin> SourceStore::pin(const std::string& digest) const {
  const std::lock_guard lock(state_->mutex);
  if (!contains(digest)) return std::nullopt;
  ++state_->pins[digest];
  return Pin(state_, digest);
}

void SourceStore::replace_sync(std::function<Result<void>(const std::string&)> sync) const {
  const std::lock_guard lock(state_->mutex);
  state_->sync = std::move(sync);
}

Result<void> SourceStore::sync(const std::string& digest) const {
  std::unique_lock lock(state_->mutex);
  if (const auto replaced = state_->sync) return replaced(digest);
  lock.unlock();
  const auto folder = path(digest);
  auto entries = entries_of(folder);
  if (!entries) return propagate(entries);
  // Each file by itself as long as they are few. For thousands (node_modules) one syncfs is far quicker,
  // though it also waits for what others have written.
  constexpr std::size_t kFew = 32;
  if (entries->size() > kFew) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::syncfs(fd.get()) != 0) return fail_errno("sync " + folder.string());
    return {};
  }
  for (const auto& entry : *entries) {
    if (entry.is_symlink()) continue;  // part of the folder that holds it
    if (auto synced = sync_path(entry.path()); !synced) return synced;
  }
  if (auto synced = sync_path(folder); !synced) return synced;
  return sync_path(state_->sources);
}

fs::path SourceStore::data() const { return state_->staging.parent_path(); }

fs::path SourceStore::path(const std::string& digest) const { return state_->sources / digest; }

bool SourceStore::contains(const std::string& digest) const {
  std::error_code ignored;
  return fs::exists(path(digest), ignored);
}

std::optional<SourceStore::Trash> SourceStore::take_out(const std::string& digest) const {
  // To staging first: a content is there as a whole or not at all, also after a crash.
  Trash trash(state_->staging);
  const std::lock_guard lock(state_->mutex);
  if (state_->pins.contains(digest)) return std::nullopt;
  ::chmod(path(digest).c_str(), 0755);
  (void)::rename(path(digest).c_str(), (trash.path() / digest).c_str());
  return trash;
}

std::vector<SourceStore::Trash> SourceStore::retain(const std::set<std::string>& digests) const {
  std::vector<std::string> others;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(state_->sources, error))
    if (auto name = entry.path().filename().string(); !digests.contains(name))
      others.push_back(std::move(name));
  std::vector<Trash> removed;
  for (const auto& name : others)
    if (auto trash = take_out(name)) removed.push_back(std::move(*trash));
  return removed;
}

}  // namespace mayfly::registry
