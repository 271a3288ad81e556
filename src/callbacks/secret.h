// The secret that callbacks are signed with, as Standard Webhooks has it
// (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly::callbacks {

class Secret {
 public:
  /// From the file `callback-secret` of the folder; makes it, for its owner alone, if it is not there.
  [[nodiscard]] static Result<Secret> load_or_create(const std::filesystem::path& folder);
  /// "whsec_" and base64 of 24 … 64 bytes.
  [[nodiscard]] static Result<Secret> parse(std::string_view text);

  /// As receivers need it.
  [[nodiscard]] const std::string& text() const { return text_; }
  /// The field webhook-signature: "v1," and base64 of HMAC-SHA256. `seconds` since the epoch.
  [[nodiscard]] std::string sign(std::string_view id, std::int64_t seconds, std::string_view body) const;

 private:
  std::string text_;
  std::string bytes_;
};

}  // namespace mayfly::callbacks
