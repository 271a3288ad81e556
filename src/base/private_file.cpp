#include "base/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/fd.h"

namespace mayfly {
namespace {

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

}  // namespace mayfly
