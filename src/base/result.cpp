#include "base/result.h"

#include <cerrno>

namespace mayfly {

std::unexpected<Error> fail_errno(std::string_view doing, int error) {
  const std::error_code code(error, std::generic_category());
  return std::unexpected(Error{code, std::string(doing) + ": " + code.message(), {}});
}

std::unexpected<Error> fail_errno(std::string_view doing) { return fail_errno(doing, errno); }

}  // namespace mayfly
