#include "admin/token.h"

#include "access/credential.h"
#include "base/credential.h"
#include "base/private_file.h"
#include "base/text.h"

namespace mayfly::admin {

Result<std::string> load_or_create_token(const std::filesystem::path& folder) {
  const auto file = folder / "admin-token";
  auto token = read_private_file(file);
  if (token || token.error().code != std::errc::no_such_file_or_directory) return token;
  auto fresh = random_token();
  if (!fresh) return fresh;
  auto created = create_private_file(file, *fresh + "\n");
  if (!created && created.error().code != std::errc::file_exists) return propagate(created);
  return read_private_file(file);  // another daemon may have been first
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
