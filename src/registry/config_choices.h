// The words for the choices of a configuration; and of a runtime, which is found, not chosen.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "registry/function.h"

namespace mayfly::registry {

template <class Enum>
struct Choice {
  std::string_view name;
  Enum value;
};

inline constexpr std::array<Choice<Isolation>, 2> kIsolations{
    {{"instance", Isolation::instance}, {"request", Isolation::request}}};
inline constexpr std::array<Choice<Network>, 3> kNetworks{
    {{"none", Network::none}, {"outbound", Network::outbound}, {"host", Network::host}}};
inline constexpr std::array<Choice<InvocationClass>, 2> kClasses{
    {{"interactive", InvocationClass::interactive}, {"background", InvocationClass::background}}};
inline constexpr std::array<Choice<Access>, 3> kAccess{
    {{"public", Access::everyone}, {"key", Access::key}, {"jwt", Access::jwt}}};
inline constexpr std::array<Choice<Missed>, 2> kMissed{{{"once", Missed::once}, {"skip", Missed::skip}}};
inline constexpr std::array<Choice<Runtime>, 5> kRuntimes{{{"node", Runtime::node},
                                                           {"python", Runtime::python},
                                                           {"native", Runtime::native},
                                                           {"exec", Runtime::exec},
                                                           {"upstream", Runtime::upstream}}};

template <class Enum, std::size_t N>
[[nodiscard]] std::string name_of(const std::array<Choice<Enum>, N>& choices, Enum value) {
  return std::string(std::ranges::find(choices, value, &Choice<Enum>::value)->name);
}

template <class Enum, std::size_t N>
[[nodiscard]] std::optional<Enum> value_of(const std::array<Choice<Enum>, N>& choices,
                                           std::string_view name) {
  const auto found = std::ranges::find(choices, name, &Choice<Enum>::name);
  if (found == choices.end()) return std::nullopt;
  return found->value;
}

}  // namespace mayfly::registry
