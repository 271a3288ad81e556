// What can be wrong with a secret. Messages name secrets and never hold anything of a value.
#pragma once

#include "base/result.h"

namespace mayfly::secrets {

enum class SecretsErrc {
  unknown_secret = 1,
  bad_name,   ///< not the name of an environment variable
  bad_value,  ///< a function takes it as a variable, and it is not text
  too_large,  ///< details: limit
  too_many,   ///< details: limit
  in_use,     ///< functions list it
  locked,     ///< the key file is missing, cannot be read, or is another one than they were encrypted with
  damaged,    ///< what is stored under this name was not encrypted under this name, with this key
};
[[nodiscard]] std::error_code make_error_code(SecretsErrc code);

}  // namespace mayfly::secrets

template <>
struct std::is_error_code_enum<mayfly::secrets::SecretsErrc> : std::true_type {};
