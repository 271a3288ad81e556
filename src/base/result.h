// Result<T>: a value, or an Error that says what went wrong in words a user can act on.
#pragma once

#include <array>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace mayfly {

/// A failure. `code` is the stable part (its category is the module that failed); `message` is for
/// people; `details` are named facts that belong in an answer ("limit" = "10s", "file" = "a.js:3").
struct Error {
  std::error_code code;
  std::string message;
  std::vector<std::pair<std::string, std::string>> details{};

  Error&& with(std::string key, std::string value) && {
    details.emplace_back(std::move(key), std::move(value));
    return std::move(*this);
  }
  Error& with(std::string key, std::string value) & {
    details.emplace_back(std::move(key), std::move(value));
    return *this;
  }
  /// The value of a detail, or an empty view.
  [[nodiscard]] std::string_view detail(std::string_view key) const {
    for (const auto& [name, value] : details)
      if (name == key) return value;
    return {};
  }
};

template <class T = void>
using Result = std::expected<T, Error>;

/// An error from a module's own code: `return fail(RegistryErrc::unknown_function, "no function 'x'");`
template <class Code>
[[nodiscard]] std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{std::error_code(code), std::move(message), {}});
}

/// An error from errno (or the errno value given), with what was being done.
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view doing);
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view doing, int error);

/// Pass an error up: `if (!r) return propagate(r);`
template <class T>
[[nodiscard]] std::unexpected<Error> propagate(Result<T>& result) {
  return std::unexpected(std::move(result.error()));
}

/// The error category of one module. `E` is an enum whose values count up from 1; `slugs` are their
/// stable kebab-case names, in order. A problem's `type` is urn:mayfly:<module>:<slug>.
template <class E, std::size_t N>
class SlugCategory final : public std::error_category {
 public:
  SlugCategory(const char* module, std::array<const char*, N> slugs) : module_(module), slugs_(slugs) {}
  [[nodiscard]] const char* name() const noexcept override { return module_; }
  [[nodiscard]] std::string message(int value) const override {
    const auto index = static_cast<std::size_t>(value) - 1;
    return index < N ? slugs_[index] : "unknown";
  }

 private:
  const char* module_;
  std::array<const char*, N> slugs_;
};

}  // namespace mayfly
