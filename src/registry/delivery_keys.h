// The keys of everything that has a DeliveryPolicy as `delivery`. For tables of keys, here and in pipelines/.
#pragma once

#include <algorithm>
#include <array>

#include "base/text.h"
#include "registry/key_table.h"
#include "registry/trigger.h"

namespace mayfly::registry {

template <std::int64_t Low, std::int64_t High>
[[nodiscard]] Result<void> take_integer(const ConfigValue& value, int& target) {
  const auto number = std::get<std::int64_t>(value);
  if (number < Low || number > High) return refused();
  target = static_cast<int>(number);
  return {};
}

[[nodiscard]] inline Result<void> take_duration(const ConfigValue& value, std::chrono::milliseconds low,
                                                std::chrono::milliseconds high,
                                                std::chrono::milliseconds& target) {
  const auto time = parse_duration(std::get<std::string>(value));
  if (!time || *time < low || *time > high) return refused();
  target = *time;
  return {};
}

template <class Target>
[[nodiscard]] Result<void> set_attempts(Target& target, const ConfigValue& value) {
  return take_integer<1, 100>(value, target.delivery.attempts);
}

template <class Target>
[[nodiscard]] Result<void> set_backoff(Target& target, const ConfigValue& value) {
  return take_duration(value, std::chrono::milliseconds(1), std::chrono::hours(24), target.delivery.backoff);
}

template <class Target>
[[nodiscard]] Result<void> set_backoff_max(Target& target, const ConfigValue& value) {
  return take_duration(value, std::chrono::milliseconds(1), std::chrono::hours(24),
                       target.delivery.backoff_max);
}

template <class Target>
[[nodiscard]] Result<void> set_max_age(Target& target, const ConfigValue& value) {
  return take_duration(value, std::chrono::seconds(1), std::chrono::hours(30 * 24), target.delivery.max_age);
}

template <class Target>
[[nodiscard]] Result<void> set_concurrency(Target& target, const ConfigValue& value) {
  return take_integer<1, 1000>(value, target.delivery.concurrency);
}

template <class Target>
inline constexpr std::array kDeliveryKeys{
    KeyOf<Target>{"attempts", Kind::integer, "1 to 100", set_attempts<Target>},
    KeyOf<Target>{"backoff", Kind::text, "1ms to backoff_max, like \"1s\"", set_backoff<Target>},
    KeyOf<Target>{"backoff_max", Kind::text, "1ms to 1d, like \"1h\"", set_backoff_max<Target>},
    KeyOf<Target>{"max_age", Kind::text, "1s to 30d, like \"1d\"", set_max_age<Target>},
};

template <class T, std::size_t N, std::size_t M>
[[nodiscard]] constexpr std::array<T, N + M> joined(const std::array<T, N>& first,
                                                    const std::array<T, M>& second) {
  std::array<T, N + M> all{};
  std::ranges::copy(first, all.begin());
  std::ranges::copy(second, all.begin() + N);
  return all;
}

/// What no single key can tell. `prefix` is put before the keys' names in errors: "on.".
[[nodiscard]] Result<void> check_delivery(std::string_view prefix, const DeliveryPolicy& policy);

}  // namespace mayfly::registry
