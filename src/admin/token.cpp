#include "admin/token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "access/credential.h"
#include "base/credential.h"
#include "base/fd.h"
#include "base/private_file.h"

namespace mayfly::admin {
namespace {

constexpr std::size_t kMaxTokenFile = 4096;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// The token of an existing file; the error of a file that is not there is ENOENT.
Result<std::string> load(const std::filesystem::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno("open " + file.string());
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("stat " + file.string());
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail_errno(file.string() + " must be readable by its owner only: chmod 600 " + file.string(),
                      EPERM);
  std::string text(kMaxTokenFile, '\0');
  const auto size = ::read(fd.get(), text.data(), text.size());
  if (size < 0) return fail_errno("read " + file.string());
  const auto token = trimmed(std::string_view(text).substr(0, static_cast<std::size_t>(size)));
  if (token.empty()) return fail_errno(file.string() + " is empty: delete it to get a new token", EINVAL);
  return std::string(token);
}

}  // namespace

Result<std::string> load_or_create_token(const std::filesystem::path& folder) {
  const auto file = folder / "admin-token";
  auto token = load(file);
  if (token || token.error().code != std::errc::no_such_file_or_directory) return token;
  auto fresh = random_token();
  if (!fresh) return fresh;
  auto created = create_private_file(file, *fresh + "\n");
  if (!created && created.error().code != std::errc::file_exists) return propagate(created);
  return load(file);  // another daemon may have been first
}

std::string_view bearer_token(std::string_view header) { return trimmed(access::bearer_of(header)); }

bool authorizes(std::string_view header, std::string_view token) {
  const auto given = bearer_token(header);
  if (given.empty() || token.empty()) return false;
  // Every byte given is compared, with some byte of the token, whatever came before.
  unsigned difference = given.size() == token.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(token[i % token.size()]);
  return difference == 0;
}

}  // namespace mayfly::admin
