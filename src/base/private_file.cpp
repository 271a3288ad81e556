#include "base/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/fd.h"
#include "base/text.h"

namespace mayfly {
namespace {

constexpr std::size_t kMostText = 4096;

Result<void> sync_folder(const std::filesystem::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno("sync " + folder.string());
  return {};
}

}  // namespace

Result<void> create_private_file(const std::filesystem::path& file, std::string_view text) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  std::string draft = file.string() + ".XXXXXX";
  const Fd fd(::mkostemp(draft.data(), O_CLOEXEC));  // O_EXCL, mode 0600
  if (!fd) return fail_errno("create a file in " + folder.string());
  Result<void> result;
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    result = fail_errno("write " + draft);
  else if (::fsync(fd.get()) != 0)
    result = fail_errno("sync " + draft);
  else if (::link(draft.c_str(), file.c_str()) != 0)
    result = fail_errno("create " + file.string());
  ::unlink(draft.c_str());
  if (result) result = sync_folder(folder);
  return result;
}

Result<std::string> read_private_file(const std::filesystem::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno("open " + file.string());
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("stat " + file.string());
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail_errno(file.string() + " must be readable by its owner only: chmod 600 " + file.string(),
                      EPERM);
  std::string text(kMostText, '\0');
  const auto size = ::read(fd.get(), text.data(), text.size());
  if (size < 0) return fail_errno("read " + file.string());
  const auto trimmed_text = trimmed(std::string_view(text).substr(0, static_cast<std::size_t>(size)));
  if (trimmed_text.empty())
    return fail_errno(file.string() + " is empty: delete it to get a new one", EINVAL);
  return std::string(trimmed_text);
}

}  // namespace mayfly
